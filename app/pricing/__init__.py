"""Prices: rules that propose them within guards, the ledger of every price that was live, and signed quotes."""
