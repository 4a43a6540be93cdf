"""Forecast from a bundle without Gatecast: python bundle.py BUNDLE.zip HISTORY.csv (columns ds, y)."""

import json
import sys
import zipfile

import numpy as np
import onnxruntime
import pandas as pd
from safetensors.numpy import load

bundle = zipfile.ZipFile(sys.argv[1])
manifest, golden = json.loads(bundle.read("manifest.json")), load(bundle.read("golden.safetensors"))
config, inputs = manifest["config"], manifest["inputs"]
graph = onnxruntime.InferenceSession(bundle.read("graph.onnx"))

# does this machine compute what the one that trained did?
(found,) = graph.run(["quantiles"], {name: golden[name] for name in inputs})
difference = np.max(np.abs(found - golden["quantiles"]) / golden["scale"][:, None, None])
assert difference <= manifest["tolerance"], f"the golden vectors differ by {difference} scales"


def hide_before_shift(y: pd.Series, season: int) -> pd.Series:
    """Hide what came before the level shifted: where both sides lie apart by three times the range of either."""
    for step in range(1, len(y)):
        before, after = y.iloc[:step].dropna(), y.iloc[step:].dropna()
        if np.isnan(y.iloc[step]) or min(len(before), len(after)) < max(8, season + 1):
            continue
        apart = max(after.min() - before.max(), before.min() - after.max())
        if apart > 3 * max(np.ptp(before), np.ptp(after)) > 0:
            return y.where(np.arange(len(y)) >= step)
    return y


def clean(y: pd.Series, options: dict, season: int) -> pd.Series:
    """Clean the context as training did: clip what lies far from its phase in the season, then fill gaps."""
    phase = (len(y) - 1 - np.arange(len(y))) % season
    if options.get("outliers") == "clip" and y.count() >= 8:
        seasonal = season > 1 and len(y) >= 3 * season
        middle = y.groupby(phase).transform("median").fillna(y.median()) if seasonal else y.median()
        reach = 10 * 1.4826 * (y - middle).abs().median()
        y = y.clip(middle - reach, middle + reach) if reach > 0 else y
    begun = y.ffill().notna()
    if options.get("gaps") == "season":
        y = y.groupby(phase).transform(lambda same: same.interpolate(limit_direction="both")).where(begun)
    return y if options.get("gaps", "leave") == "leave" else y.interpolate(limit_area="inside")


y = pd.read_csv(sys.argv[2], index_col="ds", parse_dates=True)["y"].dropna()
y = y[~y.index.duplicated(keep="last")].asfreq(config["frequency"])  # wall times: an hour may come twice
known = pd.date_range(end=y.index[-1], periods=inputs["y"][1], freq=y.index.freq)
future = pd.date_range(start=y.index[-1], periods=config["horizon"] + 1, freq=y.index.freq)[1:]
t = known.append(future)
calendar = [t.hour * 3600 + t.minute * 60 + t.second, t.dayofweek, t.day - 1, t.dayofyear - 1, 0 * t.day]
feed = {name: np.full([1, *shape[1:]], np.nan) for name, shape in inputs.items()}  # covariates that are not known
season = next(iter(config["network"]["season_lengths"]), 1)
context = y.reindex(known)
if config.get("level_shifts"):
    context = hide_before_shift(context, season if season <= len(known) else 1)
context = clean(context, config.get("cleaning", {}), season)
feed |= {"y": context.to_numpy()[None], "calendar": np.stack(calendar, -1)[None].astype("int64")}
(quantiles,) = graph.run(["quantiles"], feed)
pd.DataFrame(quantiles[0], future.rename("ds"), [f"q{level}" for level in config["quantiles"]]).to_csv(sys.stdout)
