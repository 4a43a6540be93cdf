"""Questions about whole futures: paths, sums, totals that add up, several futures, and steps beyond the horizon.

Begin with `answers`. What may be asked stands beside the request, in `inputs.questions`.
"""
