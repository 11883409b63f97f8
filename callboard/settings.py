"""Settings: read once from the environment and an optional `.env` file, then passed down as arguments."""

import base64
import binascii
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from callboard.errors import SettingsInvalid, UnsafeStart

DEFAULT_PLAYBOOK = Path(__file__).resolve().parent.parent / "playbooks" / "retail"
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
MASTER_KEY_BYTES = 32


class ModelPrice(BaseModel):
    """What a million tokens of one model cost."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: Annotated[Decimal, Field(ge=0)]
    output: Annotated[Decimal, Field(ge=0)]
    cached: Annotated[Decimal, Field(ge=0)] | None = None
    """Prompt tokens from the provider's cache; as `input` when left out."""


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
    """Where Callboard keeps its records, keys and index. One process at a time, but on Postgres."""
    database_url: SecretStr | None = None
    """`postgresql://…` keeps records, checkpoints, queue and vectors in Postgres, for any number of processes; in the
    data directory when empty."""
    database_connections: Annotated[int, Field(ge=2, le=500)] = 10
    """On Postgres: how many transactions of one process run at once; it opens up to 8 connections more."""
    database_statement_timeout_s: Annotated[float, Field(gt=0, le=600)] = 15.0
    """On Postgres: how long, in seconds, one statement may take."""
    database_lock_timeout_s: Annotated[float, Field(gt=0, le=600)] = 5.0
    """On Postgres: how long, in seconds, one statement waits for a lock, and a transaction may stand still."""
    worker: bool = True
    """On Postgres: whether `callboard serve` also runs turns, or leaves them all to `callboard worker`."""
    worker_turns: Annotated[int, Field(ge=1, le=1000)] = 20
    """On Postgres: how many turns one process runs at once."""
    takeover_s: Annotated[float, Field(ge=1, le=600)] = 5.0
    """On Postgres: after how many seconds without a sign of life another worker takes a worker's turns over."""
    wait_s: Annotated[float, Field(gt=0, le=3600)] = 60.0
    """On Postgres: how long, in seconds, a request waits for a turn that another process runs."""
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
    """How often, in seconds, a server looks for what is due: approvals that expire, warnings, calls to ask about."""
    claim_s: Annotated[float, Field(ge=1, le=86_400)] = 300.0
    """How long, in seconds, a reviewer's claim keeps an approval from everybody else."""
    max_turns: Annotated[int, Field(ge=1, le=100_000)] = 500
    """How many turns a process runs at a time; what is above waits."""
    max_waiting: Annotated[int, Field(ge=1, le=10_000_000)] = 5000
    """How many messages may wait or run in all before another one is refused with 429."""
    max_waiting_per_conversation: Annotated[int, Field(ge=1, le=100_000)] = 50
    """The same in one conversation."""
    max_message_chars: Annotated[int, Field(ge=1, le=8000)] = 8000
    """The longest message that is taken, in characters."""
    purge_within_h: Annotated[float, Field(ge=0, le=720)] = 24.0
    """By when, in hours, after an erasure no byte of the person is left in any file. Out of every context they are at
    once."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """What is logged. Customers' words never are."""
    openai_api_key: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("OPENAI_API_KEY", "openai_api_key")
    )
    """Switches the chat model on, with the local reasoner as its fallback; without it everything is solved locally."""
    openai_base_url: str = Field(
        default="https://api.openai.com/v1", validation_alias=AliasChoices("OPENAI_BASE_URL", "openai_base_url")
    )
    """Any endpoint that speaks the OpenAI protocol."""
    model: str = "gpt-5-mini"
    """The chat model's name at that endpoint, for specialists for which the playbook names no other."""
    model_timeout_s: Annotated[float, Field(gt=0, le=600)] = 20.0
    """How long the chat model may take for one task, repeated calls included, before the next in line answers."""
    model_turn_s: Annotated[float, Field(gt=0, le=3600)] = 45.0
    """How long models may take for all tasks of one turn together; what is left is answered locally."""
    second_model: str = ""
    """A model that is asked when the first one fails, before the local reasoner; none when empty."""
    second_model_url: str = ""
    """Its endpoint; that of the first one when empty."""
    second_model_key: SecretStr | None = None
    """Its key; that of the first one when empty."""
    langchain_model: str = ""
    """Instead of an OpenAI-compatible endpoint: a chat model object of LangChain, as `module:name`."""
    model_prices: dict[str, ModelPrice] = {}
    """What models cost, per million tokens, as JSON: {"gpt-5-mini": {"input": 0.25, "cached": 0.025, "output": 2}}."""
    budget_turn_tokens: Annotated[int, Field(gt=0)] | None = 100_000
    """Tokens that models may take for one turn; past it a person goes on. No limit when 0."""
    budget_case_tokens: Annotated[int, Field(gt=0)] | None = 500_000
    """The same for one case."""
    budget_day_tokens: Annotated[int, Field(gt=0)] | None = None
    """The same for all conversations of one day."""
    budget_turn_money: Annotated[Decimal, Field(gt=0)] | None = None
    """Money that models may cost for one turn, in the currency of the prices."""
    budget_case_money: Annotated[Decimal, Field(gt=0)] | None = None
    """The same for one case."""
    budget_day_money: Annotated[Decimal, Field(gt=0)] | None = None
    """The same for all conversations of one day."""
    cassette: Path | None = None
    """A file that what models say is recorded on, or replayed from."""
    cassette_mode: Literal["record", "replay", "fall_through"] = "replay"
    """`record`, `replay` (never asks a model), or `fall_through` (asks where nothing was recorded)."""

    @field_validator("budget_turn_tokens", "budget_case_tokens", "budget_day_tokens", mode="before")
    @classmethod
    def _zero_is_no_limit(cls, value: object) -> object:
        return None if value in (0, "0") else value

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

    @field_validator("database_url")
    @classmethod
    def _database_is_postgres(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("it takes postgresql://user:password@host/database, or nothing for the data directory")
        return value

    @model_validator(mode="after")
    def _one_key_for_all_processes(self) -> "Settings":
        if self.env == "production" and self.database_url is not None and self.master_key is None:
            raise ValueError(
                "on Postgres several processes share one master key; set CALLBOARD_MASTER_KEY, the same for all of them"
            )
        return self

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
    def postgres_url(self) -> str:
        """The database's URL, empty for none."""
        url = self.database_url.get_secret_value() if self.database_url else ""
        return url.replace("postgres://", "postgresql://", 1) if url.startswith("postgres://") else url

    @property
    def systems_directory(self) -> Path:
        """Where the playbook's systems of record are."""
        return self.systems_dir or self.data_dir / "systems"

    @property
    def key_of_model(self) -> str:
        """The chat model's API key, empty for none."""
        return self.openai_api_key.get_secret_value() if self.openai_api_key else ""

    @property
    def key_of_second_model(self) -> str:
        """The second model's API key."""
        return self.second_model_key.get_secret_value() if self.second_model_key else self.key_of_model


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
    except SettingsError as wrong:
        field = next((name for name in Settings.model_fields if f'"{name}"' in str(wrong)), "")
        raise SettingsInvalid(f"{setting_name(field) if field else 'A setting'}: it takes JSON.") from None


def setting_name(field: str) -> str:
    """The environment variable that sets a field."""
    upper = field.upper()
    return upper if upper.startswith("OPENAI_") else f"CALLBOARD_{upper}"
