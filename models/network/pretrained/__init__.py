"""The pretrained network: one recurrence over segments of any series, of any frequency and for any horizon.

Begin with `network`.
"""
