"""The demo's data set from its source: python -m benchmarks.bike_sharing [--data ../shared/data].

The same source gives the same bytes.
"""

import argparse
import gzip
from pathlib import Path

import pandas as pd

SOURCE = "bike_sharing.parquet"
"""hourly on a grid without gaps: hours that the publisher leaves out repeat the row before them"""
TARGET = Path(__file__).parents[1] / "app" / "data" / "bike_sharing.csv.gz"
SERIES = "bikes"
WEATHER = {"temp": "temp", "hum": "humidity", "windspeed": "windspeed", "weather": "weather"}
"""source's name -> ours"""
DECIMALS = {"temp": 2, "humidity": 0, "windspeed": 1}


def build_table(source: pd.DataFrame) -> pd.DataFrame:
    """Return the long table `unique_id, ds, y` with the weather of each hour beside it."""
    weather = source[list(WEATHER)].rename(columns=WEATHER).round(DECIMALS)
    whole = {"y": source["y"].astype(int), "humidity": weather["humidity"].astype(int)}
    stamps = source["ds"].dt.strftime("%Y-%m-%dT%H:%M:%S")
    table = pd.concat([stamps, weather], axis=1).assign(unique_id=SERIES, **whole)
    ordered: pd.DataFrame = table[["unique_id", "ds", "y", *WEATHER.values()]]
    return ordered


def write_table(table: pd.DataFrame, target: Path) -> None:
    """Write a table as a gzipped CSV, without the time of writing."""
    target.write_bytes(gzip.compress(table.to_csv(index=False, lineterminator="\n").encode(), 9, mtime=0))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder that holds the source")
    source = parser.parse_args().data / SOURCE
    if not source.exists():
        parser.error(f"there is no {source}; name the folder that holds it with --data")
    write_table(build_table(pd.read_parquet(source)), TARGET)
    print(f"{TARGET}: {TARGET.stat().st_size:,} bytes")
