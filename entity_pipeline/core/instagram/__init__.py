"""Instagram as the domains see it: operations as values, what they can end in, and the port that runs them.

Who asks, by which way out and how often is decided in `resources/instagram`; what a profile or a picture means to a
catalogue belongs to the domains.
"""
