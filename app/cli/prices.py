"""``pannier prices``: list prices, their ledger and what competitors ask."""

import click

from app.cli.ledger import experiment_command, import_competitors_command, ledger_command
from app.cli.price_rules import (
    approve_command,
    changes_command,
    propose_command,
    rules_command,
    undo_command,
)


@click.group("prices")
def prices_group() -> None:
    """Let list prices move within guards, and look them up."""


for _command in (rules_command, propose_command, approve_command, changes_command, undo_command):
    prices_group.add_command(_command)
prices_group.add_command(ledger_command)
prices_group.add_command(import_competitors_command)
prices_group.add_command(experiment_command)
