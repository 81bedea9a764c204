"""The embedded services: a real PostgreSQL and a real Redis that a command brings with it.

Used where ``DATABASE_URL`` / ``REDIS_URL`` are unset. ``start`` runs both under one directory::

    with embedded.start(Path("var")) as running:
        connect(running.services.database_url, running.services.redis_url)

The first command on a directory owns the services: a guardian process, their parent, ends them when that
command ends, whichever way it ends. A second command on the same directory uses them and leaves them
alone; if their owner ends first, its connections break. PostgreSQL's data stay in the directory for the
next start. Redis keeps nothing.

::

    <directory>/postgres/data        the cluster
    <directory>/postgres/password    of its superuser ``pannier``; mode 0600
    <directory>/services/*.lock      locked while a process of that service lives
    <directory>/services/*.url       the address; locked while its guardian lives; mode 0600
    <directory>/services/*.log       what the services and the guardian wrote since the last start

Both listen on 127.0.0.1 alone, on a random port, and ask for a generated password. As root, whom PostgreSQL
refuses, it runs under another account (``account``, ``access``).
"""

from app.core.embedded.errors import ServiceError
from app.core.embedded.running import Running, Services, start, status

__all__ = ["Running", "ServiceError", "Services", "start", "status"]
