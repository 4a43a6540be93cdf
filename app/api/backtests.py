"""/backtest and /backtests."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.api.deps import Cursor, IdempotencyDep, Limit, ReadScope, ServicesDep, TrainScope
from app.api.http.responses import ACCEPTED, created, ok, options_of
from app.api.http.tables import FormDep, answer_list, describe_list
from app.api.schemas.backtests import BacktestForecast, BacktestIn, BacktestOut
from app.api.schemas.base import Encodable, PageOf
from app.api.schemas.jobs import JobOut
from app.api.training import selector_of
from app.services.evaluation.backtests import BacktestRequest

router = APIRouter(tags=["judging"])

OneSeries = Annotated[Encodable | None, Query(max_length=1000, description="id; of all series where it is left out")]


@router.post("/backtest", status_code=202, response_model=JobOut, responses=ACCEPTED)
def backtest(body: BacktestIn, scope: TrainScope, services: ServicesDep, key: IdempotencyDep) -> Response:
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


@router.get(
    "/backtests/{backtest_id}/forecasts",
    response_model=PageOf[BacktestForecast],
    responses=describe_list(BacktestForecast),
)
def list_forecasts(
    backtest_id: str,
    request: Request,
    scope: ReadScope,
    services: ServicesDep,
    form: FormDep,
    series: OneSeries = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """List the forecasts that a backtest made, by series and origin.

    409 `backtest_unfinished` until it has succeeded; 404 `backtest_forecasts_not_kept` where they are more than two
    million values, or an earlier release made it.
    """
    page = services.backtests.list_forecasts(scope, backtest_id, series, cursor, limit)
    return answer_list(request, page, BacktestForecast, form)
