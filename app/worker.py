"""The worker process: wiring only."""

from app import job_child
from app.config import Settings
from app.jobs import forking
from app.jobs.duties import Duty
from app.jobs.queue import JobQueue
from app.jobs.runner import JobRunner
from app.services.jobs.garbage import collect_garbage, sweep_archive
from app.services.jobs.submission import Submission
from app.services.schedules.service import ScheduleService
from app.services.series.retention import expire_observations
from app.storage.artifacts import ArtifactStore
from app.storage.engine import Database

PRELOADED = ("app.preload", "app.cli.main", "app.job_child")
"""modules that are imported once for all jobs"""
FOR_TRAININGS = ("app.services.runs.training", "models.export.preload")
"""modules that are imported once for all trainings, if the setting `preload` allows the memory"""
SCHEDULES_A_LEASE = 3
"""looks for due schedules within the length of a lease"""
SWEEP_SECONDS = 3600.0
"""between two removals of old archived forecasts, and of observations that no policy keeps"""


def run(settings: Settings) -> None:
    """Run jobs, start what schedules say, and remove files that nobody needs, until SIGTERM or SIGINT."""
    forking.prepare([*PRELOADED, *(FOR_TRAININGS if settings.preload else ())])
    database = Database(settings.database)
    store = ArtifactStore(settings.artifacts)
    schedules = ScheduleService(database, Submission(JobQueue(database), settings))
    duties = (
        Duty(schedules.start_due, settings.lease_seconds / SCHEDULES_A_LEASE),
        Duty(lambda: collect_garbage(database, store), settings.collect_seconds),
        Duty(lambda: sweep_archive(database, settings.archive_days), SWEEP_SECONDS),
        Duty(lambda: expire_observations(database), SWEEP_SECONDS),
    )
    JobRunner(database, store, settings, job_child.main, duties).run()
