"""Questions about whole futures: paths, sums, totals that add up, several futures, and steps beyond the horizon.

Begin with `answers`; `asked` is what may be asked, and `decisions/0041` says where the paths come from.
"""
