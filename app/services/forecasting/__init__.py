"""Forecasts: from a request to a response. A POST /forecast passes these stations, in this order:

1. app/api/http/fast_route: `FastRoute.handle` reads headers, caller and body, past the framework.
2. app/api/forecasts: `post_forecast` turns the parsed body into an inputs/request `ForecastRequest`.
3. service: `ForecastService.respond` calls inputs/checks, and puts a pending `PendingRequest` down for the batcher.
4. app/serving/batcher: `Batcher._take_turn`, in its thread, gives all that wait to batched `BatchedPath.prepare`.
5. revalidation: `Revalidator.confirm` recalls each request's inputs/context_cache `ResolvedSeries`, and asks
   app/storage/freshness with one query whether they are still committed.
6. response_cache: `ResponseCache.finish` ends a request whose response is known, at once.
7. preparation: `prepare_batch` completes inputs/covariates; `PreparedBatch.build_inputs` is what the network reads.
8. app/serving/batcher: `_run_batch` runs one version's windows together, and gives each request its `Quantiles`.
9. outputs/results builds a `Result` a series, outputs/writers the bytes; `deliver_all` wakes the coroutine of 3.

Side ways: where 5 lacks a series, `ForecastService.enqueue` lets inputs/loader read it (inputs/contexts), replays it
(inputs/replayer) and submits the request again. Many series, and outputs/explanations, go from the loading threads to
streamed `StreamedPath`, questions about whole futures to questions/answers `AnswerPath`; their pieces enter at 8.
Errors: inputs/checks raises for a request; a `Refusal` concerns one series of it.
"""
