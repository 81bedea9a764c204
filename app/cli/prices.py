"""``pannier prices``: list prices, their ledger and what competitors ask."""

import click

from app.cli.ledger import import_competitors_command, ledger_command


@click.group("prices")
def prices_group() -> None:
    """Move list prices within guards, and know every one that was live."""


prices_group.add_command(ledger_command)
prices_group.add_command(import_competitors_command)
