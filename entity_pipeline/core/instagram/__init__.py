"""Instagram as the domains see it: operations as values, their possible outcomes, and the port that runs them.

Which account asks, by which route and how often is decided in `resources/instagram`; what a profile or a picture means
to a catalog belongs to the domains.
"""
