"""Whose an order is: by the keyed hash of an e-mail address, as far as that person allows it."""

from collections.abc import Collection
from typing import Final

from sqlalchemy import Connection

from app.commerce.changes import CustomerRef
from app.privacy.consent import recorded
from app.privacy.purposes import Purposes
from app.privacy.subjects import CONTACT, CUSTOMER, digest
from app.privacy.suppression import suppressed

# What somebody must allow for purchases to be kept under a name: a history is a means of analysis.
_NEEDED: Final = Purposes.ANALYTICS


def buyers(connection: Connection, store_id: int, contacts: Collection[bytes]) -> dict[bytes, CustomerRef]:
    """Return who is behind each contact (32 bytes); nobody for contacts who told the shop no.

    A contact whose address is that of exactly one customer of the shop is that customer, else a guest. The file's yes
    and what was recorded have to agree. Somebody who was erased is named as before, so that the order is dropped
    whole where changes are taken in.
    """
    if not contacts:
        return {}
    registered = _registered(connection, store_id, contacts)
    of_contact = {contact: digest(store_id, CONTACT, contact.hex()) for contact in contacts}
    of_customer = {contact: digest(store_id, CUSTOMER, id_) for contact, id_ in registered.items()}
    said = recorded(connection, store_id, {*of_contact.values(), *of_customer.values()})
    erased = suppressed(connection, store_id, set(of_contact.values()))
    found: dict[bytes, CustomerRef] = {}
    for contact in contacts:
        subjects = {of_contact[contact], of_customer.get(contact, of_contact[contact])}
        if of_contact[contact] in erased:
            found[contact] = CustomerRef(None, contact)
        elif all(said.get(subject, _NEEDED) & _NEEDED for subject in subjects):
            # Without the hash: that a till still writes an address is no news of the customer's own.
            id_ = registered.get(contact)
            found[contact] = CustomerRef(None, contact) if id_ is None else CustomerRef(id_)
    return found


def _registered(connection: Connection, store_id: int, contacts: Collection[bytes]) -> dict[bytes, str]:
    """Return the platform's ids of the customers with these addresses, where it is one customer each."""
    rows = connection.exec_driver_sql(
        "SELECT identity_hash, min(platform_id) FROM customer"
        " WHERE store_id = %(store)s AND identity_hash = ANY(%(contacts)s::bytea[])"
        " AND platform_id IS NOT NULL AND deleted_at IS NULL GROUP BY identity_hash HAVING count(*) = 1",
        {"store": store_id, "contacts": list(contacts)},
    )
    return {bytes(contact): id_ for contact, id_ in rows}
