"""/backtest and /backtests."""

from fastapi import APIRouter, Response

from app.api.deps import IdempotencyDep, ReadScope, ServicesDep, WriteScope
from app.api.http.responses import ACCEPTED, created, ok, options_of
from app.api.schemas.backtests import BacktestIn, BacktestOut
from app.api.schemas.jobs import JobOut
from app.api.training import selector_of
from app.services.evaluation.backtests import BacktestRequest

router = APIRouter(tags=["judging"])


@router.post("/backtest", status_code=202, response_model=JobOut, responses=ACCEPTED)
def backtest(body: BacktestIn, scope: WriteScope, services: ServicesDep, key: IdempotencyDep) -> Response:
    """Judge a model's configuration on rolling origins, beside baselines; the job's id is the backtest's."""
    request = BacktestRequest(
        model=body.model,
        series=selector_of(body.series),
        n_windows=body.n_windows,
        horizon=body.horizon,
        step_size=body.step_size,
        refit=body.refit,
        baselines=body.baselines,
    )
    return created(services.backtests.create(scope, request, options_of(body, body.labels), key))


@router.get("/backtests/{backtest_id}", response_model=BacktestOut)
def get_backtest(backtest_id: str, scope: ReadScope, services: ServicesDep) -> Response:
    """Read a backtest: measures overall, by step of the horizon, by series and by window."""
    return ok(services.backtests.get(scope, backtest_id))
