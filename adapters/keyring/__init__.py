"""The keys that what people say is sealed with: a folder beside the configuration in, a `Sealing` out."""

from adapters.keyring.files import KEYRING
from adapters.keyring.keyring import Keyring
from adapters.keyring.master import is_there, made_key, master_key

__all__ = ["KEYRING", "Keyring", "is_there", "made_key", "master_key"]
