"""Errors about webhooks."""

from src.exceptions import ConflictError


class TooManyWebhooksError(ConflictError):
    """There are as many webhooks as there may be."""

    code = "too_many_webhooks"
    title = "There are as many webhooks as there may be: delete one first"


class WebhookSecretLostError(ConflictError):
    """It was sealed with another SECRET_KEY."""

    code = "webhook_secret_lost"
    title = "The secret is lost with an earlier SECRET_KEY: make a new one"


class WebhookDisabledError(ConflictError):
    """Nothing is sent to it."""

    code = "webhook_disabled"
    title = "The webhook is disabled: enable it first"
