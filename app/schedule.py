"""Every periodic job, on one page: ``python -m app.schedule``. Run exactly one.

The jobs find work and fan it out; they may come twice or late without harm. Times are UTC.
"""

import os
import sys
import time

from redis.exceptions import ConnectionError as RedisDown
from redis.exceptions import TimeoutError as RedisSlow
from rq.cron import CronScheduler

from app.bundles import jobs as bundles
from app.connections.jobs import (
    compare_everywhere,
    forget_install_states,
    leave,
    reconcile_everywhere,
    settle_carts,
)
from app.core.config import ConfigurationError
from app.core.queues import DELIVERIES, LEARNING, PLATFORMS, UPKEEP
from app.core.redis import queue_redis
from app.decisions import jobs as decisions
from app.events.jobs import count_activity, forget_old_events, make_weeks
from app.experiments import jobs as experiments
from app.factory import create_app
from app.monitoring import guardrails
from app.monitoring import jobs as monitoring
from app.pricing import jobs as pricing
from app.pricing import quote_jobs
from app.privacy.jobs import carry_out_requests, end_retention
from app.recommendations.jobs import (
    publish_everywhere,
    rebuild_everywhere,
    refresh_described_everywhere,
    refresh_everywhere,
    refresh_grown,
    refresh_trending_everywhere,
    tune_everywhere,
)
from app.recommendations.promotion_jobs import watch_everywhere
from app.segments import jobs as segments
from webhooks.jobs import forget_old_deliveries, sweep

_DAY_S = 86_400


def register(clock: CronScheduler) -> None:
    """Tell ``clock`` what to do when."""
    # What a lost hint left behind.
    clock.register(sweep, DELIVERIES, interval=10, result_ttl=0, failure_ttl=_DAY_S)
    # New and changed products whose lists wait since a moment ago: they are gathered for it.
    clock.register(refresh_described_everywhere, LEARNING, interval=20, result_ttl=0, failure_ttl=_DAY_S)
    # What a drain that died had learned and not published.
    clock.register(publish_everywhere, LEARNING, interval=60, result_ttl=0, failure_ttl=_DAY_S)
    # How scores are blended, where a store has grown or a week has passed.
    clock.register(tune_everywhere, LEARNING, cron="23 2 * * *", result_ttl=0, failure_ttl=_DAY_S)
    # Fresh ratios for products that no order touched, new settings, a new weighting epoch.
    clock.register(rebuild_everywhere, LEARNING, cron="17 3 * * *", result_ttl=0, failure_ttl=_DAY_S)
    # Trends, habits, likeness: what is not kept up order by order. After the rebuilds, whose counts it reads.
    clock.register(refresh_everywhere, LEARNING, cron="47 3 * * *", result_ttl=0, failure_ttl=_DAY_S)
    # The same for stores that are new or grow fast: their lists do not wait for the night.
    clock.register(refresh_grown, LEARNING, interval=60, result_ttl=0, failure_ttl=_DAY_S)
    clock.register(refresh_trending_everywhere, LEARNING, interval=3600, result_ttl=0, failure_ttl=_DAY_S)
    # Whether the model that answers holds its own on the orders since; else the kept one returns.
    clock.register(watch_everywhere, LEARNING, interval=3600, result_ttl=0, failure_ttl=_DAY_S)
    # Who is in which segment: recency moves by itself. Soon, for stores that were never looked at.
    clock.register(segments.refresh_everywhere, LEARNING, cron="17 4 * * *", result_ttl=0, failure_ttl=_DAY_S)
    clock.register(segments.refresh_new, LEARNING, interval=3600, result_ttl=0, failure_ttl=_DAY_S)
    # What no webhook told of, unfinished backfills, webhooks that a platform has switched off.
    clock.register(reconcile_everywhere, PLATFORMS, interval=900, result_ttl=0, failure_ttl=_DAY_S)
    # What sends no event at all, such as an order deleted for good.
    clock.register(compare_everywhere, PLATFORMS, cron="11 1 * * *", result_ttl=0, failure_ttl=_DAY_S)
    # Which carts were bought and which left.
    clock.register(settle_carts, UPKEEP, interval=600, result_ttl=0, failure_ttl=_DAY_S)
    # Tokens of shops that have left, and all data where the platform asks for it.
    clock.register(leave, UPKEEP, interval=600, result_ttl=0, failure_ttl=_DAY_S)
    clock.register(forget_install_states, UPKEEP, interval=3600, result_ttl=0, failure_ttl=_DAY_S)
    # Tables of weeks to come, for events; those whose time is over go whole.
    clock.register(make_weeks, UPKEEP, interval=7200, result_ttl=0, failure_ttl=_DAY_S)
    clock.register(forget_old_events, UPKEEP, cron="53 1 * * *", result_ttl=0, failure_ttl=_DAY_S)
    # The same for decisions.
    clock.register(decisions.make_weeks, UPKEEP, interval=7200, result_ttl=0, failure_ttl=_DAY_S)
    clock.register(
        decisions.forget_old_decisions, UPKEEP, cron="57 1 * * *", result_ttl=0, failure_ttl=_DAY_S
    )
    # Who came upon which arm of an experiment; at night what was missed, and what is over.
    clock.register(experiments.collect_exposures, UPKEEP, interval=60, result_ttl=0, failure_ttl=_DAY_S)
    clock.register(experiments.tidy_exposures, UPKEEP, cron="3 2 * * *", result_ttl=0, failure_ttl=_DAY_S)
    # What happened to products, by day.
    clock.register(count_activity, UPKEEP, interval=1800, result_ttl=0, failure_ttl=_DAY_S)
    # What people asked of their data, where a hint was lost or it failed before.
    clock.register(carry_out_requests, UPKEEP, interval=60, result_ttl=0, failure_ttl=_DAY_S)
    # Carts, consent, exports and receipts whose time is over.
    clock.register(end_retention, UPKEEP, cron="31 2 * * *", result_ttl=0, failure_ttl=_DAY_S)
    # Whether a slot does harm: it pauses itself, and comes back by trial.
    clock.register(guardrails.guard_everywhere, UPKEEP, interval=600, result_ttl=0, failure_ttl=_DAY_S)
    # What is late or lost; whom to tell of it, or again because they did not answer.
    clock.register(monitoring.watch, UPKEEP, interval=300, result_ttl=0, failure_ttl=_DAY_S)
    clock.register(monitoring.tell, UPKEEP, interval=60, result_ttl=0, failure_ttl=_DAY_S)
    clock.register(
        monitoring.look_for_drift_everywhere, UPKEEP, cron="37 5 * * *", result_ttl=0, failure_ttl=_DAY_S
    )
    clock.register(monitoring.forget_old_alerts, UPKEEP, cron="37 2 * * *", result_ttl=0, failure_ttl=_DAY_S)
    # Which offers hold; what a platform has not been told of them. Then what it still grants, and what is worth one.
    clock.register(bundles.look_everywhere, UPKEEP, interval=60, result_ttl=0, failure_ttl=_DAY_S)
    clock.register(bundles.check_everywhere, UPKEEP, interval=3600, result_ttl=0, failure_ttl=_DAY_S)
    clock.register(bundles.propose_everywhere, LEARNING, cron="53 4 * * *", result_ttl=0, failure_ttl=_DAY_S)
    # Prices that were approved, or of which nobody knows whether they arrived.
    clock.register(pricing.write_everywhere, UPKEEP, interval=60, result_ttl=0, failure_ttl=_DAY_S)
    # What price rules propose: every night, and by the hour where they write by themselves.
    clock.register(pricing.propose_everywhere, LEARNING, cron="13 5 * * *", result_ttl=0, failure_ttl=_DAY_S)
    clock.register(
        pricing.propose_automatic_everywhere, LEARNING, interval=3600, result_ttl=0, failure_ttl=_DAY_S
    )
    clock.register(pricing.expire_everywhere, UPKEEP, interval=3600, result_ttl=0, failure_ttl=_DAY_S)
    # Keys of quotes, to checkouts that lack the newest: there is a new one every five minutes.
    clock.register(quote_jobs.publish_keys_everywhere, UPKEEP, interval=60, result_ttl=0, failure_ttl=_DAY_S)
    clock.register(quote_jobs.forget_old_quotes, UPKEEP, cron="47 2 * * *", result_ttl=0, failure_ttl=_DAY_S)
    clock.register(forget_old_deliveries, UPKEEP, cron="41 2 * * *", result_ttl=0, failure_ttl=_DAY_S)


def main() -> int:
    """Keep the clock until told to stop. Returns the exit code."""
    os.environ["TZ"] = "UTC"  # rq reads cron expressions in local time
    time.tzset()
    try:
        app = create_app()
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 2
    with app.app_context():
        clock = CronScheduler(connection=queue_redis(), logging_level="WARNING")
        register(clock)
        try:
            clock.start()
        except (RedisDown, RedisSlow):
            print("Redis does not answer; the clock ends and is started again.", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
