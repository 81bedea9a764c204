"""The one error of the embedded services."""


class ServiceError(RuntimeError):
    """An embedded service cannot run. The text is one sentence that says what to do."""
