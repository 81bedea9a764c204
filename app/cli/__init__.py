"""The ``pannier`` command.

Exit codes: 0 done, 1 the work failed, 2 bad use. Long work shows its progress on stderr; commands that print data take
``--json``. Without DATABASE_URL and REDIS_URL a command uses the embedded services under ``var/``, and starts
them for its own duration where nobody runs them.

Each module holds the commands of one subject; what all of them share is in :mod:`app.cli.base`.
"""

import click

from app.cli.decisions import decisions_group
from app.cli.events import events_group
from app.cli.experiments import experiments_group
from app.cli.freshness import freshness_command
from app.cli.imports import import_group
from app.cli.installation import demo_command, migrate_command, new_secret_key, services
from app.cli.offers import offers_group
from app.cli.platforms import backfill_command, reconcile_command
from app.cli.prices import prices_group
from app.cli.privacy import privacy_group
from app.cli.quotes import quotes_group
from app.cli.recommendations import recommendations_group
from app.cli.reports import reports_group
from app.cli.rules import rules_group
from app.cli.segments import segments_group
from app.cli.stores import store_group
from app.cli.synth import synth_command
from app.cli.webhooks import webhooks_group

# "\\b" keeps click from joining the lines of a paragraph.
_HELP = """Pannier: what goes into the basket together.

\b
Begin with
  pannier demo                                   two shops with real orders
  pannier store add shopify NAME.myshopify.com   a shop of your own
"""


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    help=_HELP,
    epilog="Settings come from the environment and from .env. Exit codes: 0 done, 1 the work failed, 2 bad use.",
)
@click.version_option(package_name="pannier", prog_name="pannier")
def cli() -> None:
    """Pannier: what goes into the basket together."""


for _command in (
    migrate_command,
    new_secret_key,
    services,
    demo_command,
    store_group,
    backfill_command,
    reconcile_command,
    import_group,
    webhooks_group,
    events_group,
    decisions_group,
    privacy_group,
    recommendations_group,
    reports_group,
    segments_group,
    rules_group,
    experiments_group,
    offers_group,
    quotes_group,
    prices_group,
    freshness_command,
    synth_command,
):
    cli.add_command(_command)


def main() -> None:
    """Run the command line."""
    cli(prog_name="pannier")
