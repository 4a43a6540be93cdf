"""From quantiles to an answer: results of series, and their bytes in each format. Begin with `results`."""
