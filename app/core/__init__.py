"""What every room stands on: settings, database, Redis, queues, crypto, money, errors, logging."""
