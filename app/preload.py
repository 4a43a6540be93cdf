"""The first thing that the process imports which jobs are forked from: nobody else may import it.

Importing it changes the process: its priority, its signals and its threads.
"""

import os
import signal

NICENESS = 10
"""below serving, which shares the machine"""

for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)  # it ends with its worker, after its jobs
os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
# before torch is imported: one core is left to serving, and two threads on a core that is shared are slower than one
os.environ.setdefault("OMP_NUM_THREADS", str(max(1, len(os.sched_getaffinity(0)) - 1)))
