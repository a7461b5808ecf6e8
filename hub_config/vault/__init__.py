"""The vault: master keys in a file, tenants' keys wrapped by them, connections encrypted by those; rotation."""

from hub_config.vault.keys import KeyFileProblem, MasterKeys
from hub_config.vault.rotation import Progress, Status, rotate, status
from hub_config.vault.vault import SecretUnreadable, Vault

__all__ = ["KeyFileProblem", "MasterKeys", "Progress", "SecretUnreadable", "Status", "Vault", "rotate", "status"]
