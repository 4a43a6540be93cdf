"""The worker process: wiring only."""

from app import job_child
from app.config import Settings
from app.jobs import forking
from app.jobs.duties import Duty
from app.jobs.queue import JobQueue
from app.jobs.runner import JobRunner
from app.services.alerts.delivery import Deliverer
from app.services.alerts.evaluation import evaluate_due, sweep_events
from app.services.anomalies.watching import Watcher, sweep_alarms
from app.services.jobs.garbage import collect_garbage, sweep_archive
from app.services.jobs.submission import Submission
from app.services.registry.loader import VersionLoader
from app.services.samples.closing import close_due
from app.services.schedules.service import ScheduleService
from app.services.series.retention import expire_observations
from app.serving.cache import ModelCache
from app.storage.artifacts import ArtifactStore
from app.storage.engine import Database

PRELOADED = ("app.preload", "app.cli.main", "app.job_child")
"""modules that are imported once for all jobs"""
FOR_TRAININGS = ("app.services.runs.training", "models.export.preload")
"""modules that are imported once for all trainings, if the setting `preload` allows the memory"""
SCHEDULES_A_LEASE = 3
"""looks for due schedules within the length of a lease"""
LOOK_SECONDS = 2.0
"""between two looks for alerts that are due, for messages to send, and for values that came"""
CLOSE_SECONDS = 10.0
"""between two looks for steps into which no more samples come"""
SWEEP_SECONDS = 3600.0
"""between two removals of old archived forecasts, of observations that no policy keeps, and of old messages"""


def run(settings: Settings) -> None:
    """Run jobs, start what schedules say, and remove files that nobody needs, until SIGTERM or SIGINT."""
    forking.prepare([*PRELOADED, *(FOR_TRAININGS if settings.preload else ())])
    database = Database(settings.database)
    store = ArtifactStore(settings.artifacts)
    schedules = ScheduleService(database, Submission(JobQueue(database), settings))
    deliverer = Deliverer(database, allow_private=settings.webhook_private == "allow")
    watcher = Watcher(database, VersionLoader(store, ModelCache(settings.model_cache_bytes)))
    look_seconds = min(LOOK_SECONDS, settings.lease_seconds / SCHEDULES_A_LEASE)
    keeping = (
        Duty(schedules.start_due, settings.lease_seconds / SCHEDULES_A_LEASE),
        Duty(lambda: close_due(database), CLOSE_SECONDS),
        Duty(lambda: collect_garbage(database, store), settings.collect_seconds),
        Duty(lambda: sweep_archive(database, settings.archive_days), SWEEP_SECONDS),
        Duty(lambda: expire_observations(database), SWEEP_SECONDS),
        Duty(lambda: sweep_events(database, settings.alert_days), SWEEP_SECONDS),
        Duty(lambda: sweep_alarms(database, settings.alert_days), SWEEP_SECONDS),
    )
    alerting = (Duty(lambda: evaluate_due(database), look_seconds),)
    delivering = (Duty(deliverer.send_due, look_seconds),)
    watching = (Duty(watcher.scan_due, look_seconds),)
    duties = (keeping, alerting, delivering, watching)
    JobRunner(database, store, settings, job_child.main, duties).run()
