"""Every module has a test of its name in the folder of its name, or stands here beside the test that exercises it."""

from pathlib import Path, PurePath

ROOT = Path(__file__).parents[1]

EXERCISED_BY = {
    "tests/api/test_access.py": ("app/api/schemas/access.py",),
    "tests/api/http/test_compression.py": ("app/api/http/decompression.py",),
    "tests/api/http/test_tables.py": ("app/formats/forms.py",),
    "tests/api/http/test_dispatch.py": (
        "app/api/http/bodies.py",
        "app/api/http/query.py",
        "app/api/http/spelling.py",
    ),
    "tests/api/http/test_uploads.py": (
        "app/api/http/forms.py",
        "app/api/http/media_types.py",
    ),
    "tests/api/test_system.py": (
        "app/api/deps.py",
        "app/api/http/middleware.py",
        "app/api/http/problems.py",
        "app/api/http/responses.py",
        "app/errors.py",
        "app/main.py",
        "app/scope.py",
        "app/services/access/keys.py",
        "app/services/health.py",
        "app/storage/keys.py",
    ),
    "tests/api/compat/test_prometheus.py": (
        "app/services/metrics/catalog.py",
        "app/services/metrics/forecasts.py",
        "app/services/metrics/refusing.py",
        "app/services/metrics/samples.py",
        "app/services/metrics/service.py",
        "app/services/metrics/variants.py",
    ),
    "tests/services/access/test_management.py": (
        "app/api/keys.py",
        "app/api/projects.py",
        "app/api/schemas/keys.py",
        "app/services/access/projects.py",
        "app/storage/projects.py",
    ),
    "tests/services/test_idempotency.py": ("app/storage/call_locks.py",),
    "tests/cli/test_backup.py": ("app/storage/backups.py", "app/storage/references.py"),
    "tests/services/access/test_sessions.py": (
        "app/api/cookies.py",
        "app/api/login.py",
        "app/services/access/authentication.py",
        "app/services/access/grants.py",
        "app/services/access/provider.py",
        "app/storage/sessions.py",
    ),
    "tests/services/test_quotas.py": ("app/api/usage.py", "app/services/access/usage.py", "app/storage/usage.py"),
    "tests/services/test_audit.py": ("app/api/audit.py", "app/api/schemas/audit.py", "app/storage/audit.py"),
    "tests/api/test_rules.py": (
        "app/api/schemas/rules.py",
        "app/services/samples/rules.py",
        "app/storage/ingest_rules.py",
    ),
    "tests/api/compat/test_influxdb.py": ("app/api/compat/credentials.py", "app/services/samples/service.py"),
    "tests/cli/test_commands.py": (
        "app/cli/terminal.py",
        "app/cli/terminal_chart.py",
    ),
    "tests/formats/test_remote_write.py": (
        "app/formats/prometheus/remote_write_1_pb2.py",
        "app/formats/prometheus/remote_write_2_pb2.py",
        "app/formats/samples.py",
    ),
    "tests/services/samples/test_filling.py": (
        "app/services/samples/book.py",
        "app/services/samples/closing.py",
        "app/services/samples/folding.py",
        "app/services/samples/steps.py",
        "app/services/samples/summaries.py",
        "app/services/samples/writing.py",
        "app/storage/fed_steps.py",
    ),
    "tests/cli/test_copy.py": ("app/storage/copying.py",),
    "tests/cli/test_demo.py": (
        "app/cli/demo_data.py",
        "app/cli/demo_report.py",
        "app/cli/demo_service.py",
    ),
    "tests/client/test_client.py": (
        "client/gatecast_client/downloads.py",
        "client/gatecast_client/errors.py",
        "client/gatecast_client/jobs.py",
        "client/gatecast_client/tables.py",
    ),
    "tests/e2e/test_jobs.py": (
        "app/jobs/queue.py",
        "app/preload.py",
        "app/storage/jobs.py",
        "models/export/preload.py",
    ),
    "tests/e2e/test_outage.py": ("app/storage/engine.py",),
    "tests/e2e/test_recovery.py": (
        "app/job_child.py",
        "app/jobs/forking.py",
        "app/jobs/lease.py",
        "app/jobs/runner.py",
        "app/services/runs/attempt.py",
        "app/services/runs/checkpoints.py",
        "app/services/runs/dispatch.py",
        "app/storage/leases.py",
    ),
    "tests/e2e/test_schedules.py": (
        "app/jobs/duties.py",
        "app/storage/schedules.py",
        "app/worker.py",
    ),
    "tests/e2e/test_up.py": (
        "app/__main__.py",
        "app/cli/main.py",
        "app/cli/up.py",
        "app/server.py",
    ),
    "tests/services/runs/test_refresh.py": ("app/services/runs/version_files.py",),
    "tests/services/ingest/test_ds_formats.py": ("app/services/ingest/ds_parts.py",),
    "tests/storage/test_bulk.py": (
        "app/storage/arrays.py",
        "app/storage/bulk_cells.py",
        "app/storage/bulk_postgresql.py",
        "app/storage/bulk_sqlite.py",
    ),
    "tests/services/series/test_many_observations.py": ("app/api/bulk.py",),
    "tests/services/series/test_health.py": ("app/api/schemas/health.py",),
    "tests/formats/test_columns.py": (
        "app/formats/arrow.py",
        "app/formats/mapped.py",
        "app/formats/parquet.py",
    ),
    "tests/formats/test_csv.py": ("app/formats/csv_dialect.py",),
    "tests/formats/test_reading.py": (
        "app/formats/long.py",
        "app/formats/signatures.py",
        "app/formats/source.py",
        "app/formats/table.py",
    ),
    "tests/models/health/test_check_series.py": (
        "models/health/check.py",
        "models/health/covariates.py",
        "models/health/history.py",
        "models/health/values.py",
    ),
    "tests/models/anomaly/test_detect.py": ("models/anomaly/residuals.py",),
    "tests/models/calendar/test_grid.py": (
        "models/calendar/features.py",
        "models/calendar/timestamps.py",
    ),
    "tests/models/classical/test_linear_maps.py": ("models/classical/exponential_smoothing.py",),
    "tests/models/network/test_ets.py": ("models/classical/families.py",),
    "tests/models/config/test_model.py": (
        "models/config/covariates.py",
        "models/config/network.py",
        "models/config/training.py",
        "models/config/validation.py",
        "models/planning/data_size.py",
        "models/planning/defaults.py",
        "models/planning/shape.py",
        "models/planning/values.py",
    ),
    "tests/models/data/test_windows.py": ("models/data/series.py",),
    "tests/models/experiments/test_backtest.py": ("models/experiments/backtest_result.py",),
    "tests/models/export/test_export.py": (
        "models/export/load.py",
        "models/inference/golden.py",
    ),
    "tests/models/export/test_graph.py": ("models/export/graph_cache.py",),
    "tests/models/network/test_network.py": (
        "models/network/decoders.py",
        "models/network/distributions.py",
        "models/network/encoder.py",
        "models/network/head.py",
        "models/network/inputs.py",
        "models/network/modules.py",
        "models/network/smoothing.py",
    ),
    "tests/models/planning/test_transfer.py": ("models/training/warm_start.py",),
    "tests/models/test_bad_data.py": ("models/data/preflight.py",),
    "tests/models/test_without_torch.py": (
        "models/arrays.py",
        "models/errors.py",
        "models/quiet.py",
    ),
    "tests/models/training/test_closed_form.py": ("models/network/ridge.py",),
    "tests/models/training/test_fit.py": (
        "models/training/fitted.py",
        "models/training/learner.py",
        "models/training/report.py",
        "models/training/run.py",
    ),
    "tests/models/training/test_loop.py": ("models/planning/presets.py",),
    "tests/models/training/test_phase.py": ("models/training/progress.py",),
    "tests/services/access/test_links.py": ("app/storage/link_secrets.py",),
    "tests/services/alerts/test_delivery.py": ("app/storage/deliveries.py",),
    "tests/services/alerts/test_evaluation.py": ("app/services/alerts/evidence.py",),
    "tests/services/alerts/test_service.py": (
        "app/api/alerts.py",
        "app/api/schemas/alerts.py",
        "app/services/alerts/request.py",
        "app/storage/alerts.py",
    ),
    "tests/services/anomalies/test_watch.py": (
        "app/api/schemas/watch.py",
        "app/api/watch.py",
        "app/services/anomalies/watching.py",
        "app/storage/alarms.py",
        "app/storage/watches.py",
    ),
    "tests/services/anomalies/test_service.py": (
        "app/api/anomalies.py",
        "app/api/schemas/anomalies.py",
        "app/services/anomalies/builtin_scan.py",
        "app/services/anomalies/plan.py",
        "app/services/anomalies/scan.py",
        "app/services/anomalies/tables.py",
        "app/services/runs/scan.py",
    ),
    "tests/services/charts/test_service.py": (
        "app/api/charts.py",
        "app/api/schemas/charts.py",
        "app/services/charts/history.py",
        "app/serving/charts/drawer.py",
    ),
    "tests/services/evaluation/test_backtests.py": (
        "app/api/backtests.py",
        "app/api/schemas/backtests.py",
        "app/services/evaluation/kept_forecasts.py",
        "app/services/runs/backtest.py",
    ),
    "tests/services/evaluation/test_skill.py": (
        "app/services/registry/members.py",
        "app/services/runs/archive.py",
    ),
    "tests/models/export/test_pretrained.py": ("app/serving/pretrained.py",),
    "tests/models/network/pretrained/test_network.py": (
        "models/network/pretrained/blocks.py",
        "models/network/pretrained/forecast.py",
    ),
    "tests/models/training/pretraining/test_loop.py": ("models/training/pretrain.py",),
    "tests/services/forecasting/inputs/test_covariates.py": ("app/services/series/panels.py",),
    "tests/services/forecasting/outputs/test_explanations.py": ("app/serving/explainer.py",),
    "tests/services/forecasting/outputs/test_writers.py": ("app/api/http/negotiation.py",),
    "tests/services/forecasting/inputs/test_floor_version.py": ("app/services/forecasting/outputs/floors.py",),
    "tests/services/forecasting/inputs/test_replayer.py": (
        "app/services/forecasting/inputs/replay_backlog.py",
        "app/services/runs/archive_widths.py",
    ),
    "tests/services/forecasting/test_response_cache.py": (
        "app/etags.py",
        "app/services/forecasting/inputs/context_cache.py",
        "app/services/forecasting/inputs/loader.py",
        "app/services/forecasting/inputs/served_version.py",
        "app/services/forecasting/inputs/versions.py",
        "app/services/forecasting/revalidation.py",
        "app/serving/moments.py",
    ),
    "tests/services/forecasting/questions/test_answers.py": (
        "app/api/schemas/questions.py",
        "app/services/forecasting/inputs/questions.py",
        "app/services/forecasting/questions/aggregates.py",
        "app/services/forecasting/questions/documents.py",
        "app/services/forecasting/questions/earlier.py",
        "app/services/forecasting/questions/futures.py",
        "app/services/forecasting/questions/limits.py",
        "app/services/forecasting/questions/steps.py",
        "app/services/forecasting/questions/stored.py",
    ),
    "tests/services/forecasting/test_service.py": (
        "app/api/forecasts.py",
        "app/api/schemas/forecast_answers.py",
        "app/api/schemas/forecasts.py",
        "app/services/forecasting/batched.py",
        "app/services/forecasting/inputs/checks.py",
        "app/services/forecasting/outputs/results.py",
        "app/services/forecasting/pending.py",
        "app/services/forecasting/preparation.py",
        "app/services/refusals.py",
        "app/services/registry/loader.py",
    ),
    "tests/services/covariates/test_service.py": (
        "app/api/covariates.py",
        "app/api/schemas/covariates.py",
        "app/storage/covariates.py",
    ),
    "tests/services/ingest/test_service.py": (
        "app/services/ingest/checking.py",
        "app/services/ingest/duplicates.py",
        "app/services/ingest/intake.py",
        "app/services/ingest/kinds.py",
        "app/services/ingest/options.py",
        "app/services/ingest/plans.py",
        "app/services/ingest/report.py",
    ),
    "tests/services/jobs/test_events.py": (
        "app/api/jobs.py",
        "app/api/schemas/jobs.py",
    ),
    "tests/services/jobs/test_submission.py": (
        "app/services/jobs/documents.py",
        "app/services/jobs/hints.py",
        "app/services/jobs/service.py",
        "app/services/jobs/views.py",
    ),
    "tests/services/registry/test_builtin_rows.py": (
        "app/services/registry/builtin_bundle.py",
        "app/services/registry/zips.py",
        "app/storage/builtin.py",
    ),
    "tests/services/registry/test_service.py": (
        "app/api/registry.py",
        "app/api/schemas/registry.py",
        "app/services/registry/lookup.py",
        "app/storage/registry.py",
    ),
    "tests/services/runs/test_promotion.py": ("app/services/runs/publication.py",),
    "tests/services/runs/test_search.py": (
        "app/services/jobs/trials.py",
        "app/services/runs/training.py",
    ),
    "tests/services/series/test_export.py": (
        "app/api/export.py",
        "app/services/series/spans.py",
        "app/services/series/tables.py",
        "app/storage/exports.py",
    ),
    "tests/services/series/test_thinning.py": ("app/storage/thinning.py",),
    "tests/services/series/test_observations.py": (
        "app/api/observations.py",
        "app/services/series/covariates.py",
        "app/services/series/causes.py",
        "app/services/series/checks.py",
    ),
    "tests/services/series/test_retention.py": (
        "app/api/retention.py",
        "app/api/schemas/retention.py",
        "app/storage/retention.py",
    ),
    "tests/services/series/test_service.py": (
        "app/api/labels.py",
        "app/api/schemas/series.py",
        "app/api/series.py",
        "app/services/paging.py",
        "app/services/series/ids.py",
        "app/services/series/selection.py",
        "app/storage/idempotency.py",
        "app/storage/labels.py",
        "app/storage/pages.py",
        "app/storage/series.py",
    ),
    "tests/services/training/test_service.py": (
        "app/api/schemas/previews.py",
        "app/api/training.py",
        "app/services/training/checks.py",
        "app/services/training/plan.py",
        "app/services/training/request.py",
    ),
    "tests/models/data/test_aggregation.py": ("models/calendar/nesting.py",),
    "tests/models/data/test_cleaning.py": ("models/config/cleaning.py",),
    "tests/services/training/test_cleaning.py": ("app/services/series/aggregation.py",),
    "tests/serving/charts/test_drawing.py": (
        "app/serving/charts/panel.py",
        "app/serving/charts/picture.py",
        "app/serving/charts/theme.py",
    ),
    "tests/storage/test_migrations.py": (
        "app/storage/migrate.py",
        "app/storage/tables.py",
    ),
    "tests/storage/test_transactions.py": (
        "app/storage/clock.py",
        "app/storage/dialects.py",
    ),
}
"""Test -> modules that it reaches through a route, a process or a larger module."""


def list_modules() -> list[PurePath]:
    """Return the source modules but for faces of packages."""
    folders = (ROOT / "app", ROOT / "client" / "gatecast_client", ROOT / "gatecast", ROOT / "models")
    files = [file.relative_to(ROOT) for folder in folders for file in folder.rglob("*.py")]
    return sorted(file for file in files if file.name != "__init__.py")


def locate_test(module: PurePath) -> PurePath:
    """Return where a module's own test lies: `app` and the client's package are left out of its path."""
    match module.parts:
        case ("app", *folders, _):
            return PurePath("tests", *folders, f"test_{module.name}")
        case ("client", _, _):
            return PurePath("tests", "client", f"test_{module.name}")
    return PurePath("tests", module.parent, f"test_{module.name}")


def test_no_module_is_without_a_test() -> None:
    exercised = {name for names in EXERCISED_BY.values() for name in names}
    modules = [module for module in list_modules() if not (ROOT / locate_test(module)).exists()]
    assert sorted(exercised) == sorted(str(module) for module in modules)


def test_every_test_that_is_named_exists() -> None:
    assert [name for name in EXERCISED_BY if not (ROOT / name).exists()] == []
