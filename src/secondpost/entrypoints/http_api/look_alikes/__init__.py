"""Look-alikes: routes that providers' own SDKs can send to when their base URL is changed. They accept mail only.

Rule: each answers as its provider does, in success and in error; the key stands where the SDK puts the provider's.
"""

from collections.abc import Callable

from fastapi import FastAPI

from secondpost.entrypoints.http_api.counter import Counter
from secondpost.entrypoints.http_api.look_alikes import mailgun, postmark, resend, sendgrid, ses
from secondpost.entrypoints.http_api.look_alikes.common import endpoint

ROUTES = (*postmark.ROUTES, *sendgrid.ROUTES, *mailgun.ROUTES, *resend.ROUTES)


def add(app: FastAPI, counter: Counter, new_id: Callable[[], int]) -> None:
    for route in ROUTES:
        app.add_route(route.path, endpoint(route, counter, new_id), methods=["POST"], include_in_schema=False)
    for route in ses.ROUTES:
        own = endpoint(route, counter, new_id, ses.admission(counter))
        app.add_route(route.path, own, methods=["POST"], include_in_schema=False)
