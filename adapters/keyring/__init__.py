"""The keys that what people say is sealed with: a folder beside the configuration in, a `Sealing` out."""

from adapters.keyring.keyring import Keyring
from adapters.keyring.master import made_key, master_key

__all__ = ["Keyring", "made_key", "master_key"]
