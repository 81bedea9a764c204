"""The RQ worker around the application: ``python -m app.worker [QUEUE …]``, all queues where none is named.

The application is built, its tables are mapped and Numba's kernels are loaded once, in the parent; each job runs in a
fork of it. The parent opens no database connection, so no two processes ever share one.
"""

import logging
import os
import sys
from collections.abc import Sequence

from redis.exceptions import ConnectionError as RedisDown
from redis.exceptions import TimeoutError as RedisSlow
from rq import Queue, Worker
from sqlalchemy.orm import configure_mappers

from app.core.config import ConfigurationError
from app.core.orphans import end_with_parent
from app.core.queues import ALL
from app.core.redis import queue_redis
from app.factory import create_app
from app.recommendations import ranking


def main(queues: Sequence[str] = ()) -> int:
    """Work on ``queues`` until told to stop.

    Returns the exit code: 2 for a wrong setting or a queue that is none, 1 where Redis is gone.
    """
    unknown = [name for name in queues if name not in ALL]
    if unknown:
        print(f"There is no queue {unknown[0]!r}; there are {', '.join(ALL)}.", file=sys.stderr)
        return 2
    try:
        app = create_app()
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 2
    ranking.warm_up()
    configure_mappers()
    # A job must not go on when its worker was killed: another worker takes the job's rows up again.
    os.register_at_fork(after_in_child=end_with_parent)
    logging.getLogger("rq").setLevel(logging.WARNING)
    with app.app_context():
        connection = queue_redis()
        try:
            worker = Worker(
                [Queue(name, connection=connection) for name in queues or ALL],
                connection=connection,
                log_job_description=False,
            )
            worker.work(logging_level="WARNING")
        except (RedisDown, RedisSlow):
            print("Redis does not answer; this worker ends and is started again.", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
