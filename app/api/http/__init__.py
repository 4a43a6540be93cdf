"""What belongs to HTTP itself: negotiation, compression, error answers, what routes are held to, and the fast route.

Knows no resource. Begin with `middleware`, which every request passes, and `dispatch`, which all but fast ones pass.
"""
