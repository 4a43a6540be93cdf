"""What belongs to HTTP itself: negotiation, compression, error answers, and the fast route round the framework.

Knows no resource. Begin with `middleware`, which every request passes.
"""
