"""Sales: what customers spend with us, and how much more they could.

Wallet
    wallet: Share of wallet from a survey: share, head-room, and head-room to a required share.
    wallet_from_ranks: Wallet allocation rule: share of wallet from our rank among the brands used.
    realistic_wallet: Realistic wallet: a high quantile of what like customers spend.
"""

from crmkit._sales.realistic_wallet import realistic_wallet
from crmkit._sales.wallet import wallet, wallet_from_ranks

__all__ = ["realistic_wallet", "wallet", "wallet_from_ranks"]
