"""Steps of a release task, run one after another in one container."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from galv_constructs._core.validation import is_list

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
# What the shell is to see, and a token as CDK writes it, whose brackets are no pattern.
_PATTERN = re.compile(r"([*?\[\]]|\$\{Token\[.+?\]\})")

# The container ends with this shell. It passes SIGTERM on to the step and waits for it, so that a
# task that is stopped ends its migration instead of losing it.
_STEP_FUNCTION = """\
child= stopped=
trap 'stopped=yes; [ -z "$child" ] || kill -TERM "$child" 2>/dev/null' TERM
step() {
  name=$1; shift
  [ -z "$stopped" ] || { echo "[release] $name: not started, the task is stopped"; exit 143; }
  echo "[release] $name: started"
  "$@" & child=$!
  # A signal between the two was not passed on.
  [ -z "$stopped" ] || kill -TERM "$child" 2>/dev/null
  code=0; wait "$child" || code=$?
  # A signal ends `wait` before the step has ended.
  while kill -0 "$child" 2>/dev/null; do code=0; wait "$child" || code=$?; done
  child=
  [ "$code" = 0 ] || { echo "[release] $name: failed with exit code $code"; exit "$code"; }
  echo "[release] $name: done"
}"""


@dataclass(frozen=True, kw_only=True)
class ReleaseStep:
    """One command of a release task.

    Example:
        ```python
        ReleaseStep(name="reindex", command=["python", "manage.py", "reindex"])
        ```
    """

    name: str
    """Name in the log: lower-case letters, digits, `-` and `_`."""

    command: Sequence[str]
    """Program and arguments. File name patterns in arguments (`*`, `?`, `[`) are expanded in the
    container."""

    first_release_only: bool = False
    """Whether the step runs only until the first release of the stack has succeeded.
    Default: at every release."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ValueError: If the name is malformed, or the command is not a list of words.
        """
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise ValueError(
                "name must be lower-case letters, digits, '-' and '_', starting with a letter, "
                f"got {self.name!r}"
            )
        check_command(f"command of step {self.name!r}", self.command)


def check_command(name: str, command: Any) -> None:
    """Refuse what is not a list of words."""
    if not is_list(command) or not command or not all(isinstance(word, str) for word in command):
        raise ValueError(
            f"{name} must be a list of words such as ['python', 'manage.py', 'migrate'], "
            f"got {command!r}"
        )


def check_steps(name: str, steps: Any) -> None:
    """Refuse what is not a list of steps with a name each."""
    if not is_list(steps) or not steps or not all(isinstance(step, ReleaseStep) for step in steps):
        raise ValueError(f"{name} must be a list of at least one ReleaseStep, got {steps!r}")
    names = [step.name for step in steps]
    if len(set(names)) != len(names):
        raise ValueError(f"each step of {name} must have a name of its own, got {', '.join(names)}")


def shell_command(steps: Sequence[ReleaseStep]) -> list[str]:
    """Make the command that runs the steps.

    A shell, because patterns have to be expanded in the container. It names each step in the log,
    and ends with the exit code of the first one that fails.
    """
    script = [_STEP_FUNCTION]
    for step in steps:
        line = f"step {step.name} {' '.join(_word(word) for word in step.command)}"
        if step.first_release_only:
            # The handler that starts the task says which CloudFormation event it was.
            line = (
                f'if [ "${{GALV_RELEASE_EVENT-}}" = Create ]; then {line}; '
                f'else echo "[release] {step.name}: skipped, only for the first release"; fi'
            )
        script.append(line)
    return ["sh", "-c", "\n".join(script)]


def _word(word: str) -> str:
    """Quote a word for the shell, but for patterns."""
    parts = (part for part in _PATTERN.split(word) if part)
    return "".join(part if part in "*?[]" else shlex.quote(part) for part in parts) or "''"
