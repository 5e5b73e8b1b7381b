"""The HTTP API that feeds the queue: on the administration page's server, and alone on port 8001.

`app.py` makes the application, `routes.py` answers, `schemas.py` says what goes in and out, `access.py` checks the key.
What a request does to the queue belongs to `queue/requests.py`.
"""
