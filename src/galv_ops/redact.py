"""Leave out of a text what may be a secret: the reason of a failure is read by many.

CloudFormation shows it to everybody who may read the stack's events, and a deployment's log quotes
it, which for a public repository is public. The handlers may not read the secrets themselves: a
function that could read each password, only to look for it in a log, would be worth more to an
attacker than the log. A secret is therefore known by its name, or by its form. One that stands
alone, and looks like any other word, stays.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

REDACTED = "[redacted]"
# No line is worth more, and the work for one stays small.
LONGEST_LINE = 2000
# So many variables in a row are no accident.
DUMP = 3
# Lines of a value that has several, between two variables.
GAP = 2

_KEY = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    # The beginning may be before the lines that were read.
    r"|\A(?:[A-Za-z0-9+/=]{16,}\s+)+-----END [A-Z ]*PRIVATE KEY-----",
    re.DOTALL,
)
_TEXT = r"""b?(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')"""
# As Python, JSON and Node write them: `{'NAME': 'value'`, `('NAME', 'value')`, `{ NAME: 'value'`.
_PAIR = (
    rf"""(?:\(?b?(?:"[A-Z_][A-Z0-9_]*"|'[A-Z_][A-Z0-9_]*')\s*[:,]\s*{_TEXT}\)?"""
    rf"""|(?<![\w"'])[A-Z_][A-Z0-9_]*: {_TEXT})"""
)
_PAIRS = re.compile(rf"{_PAIR}(?:\s*,\s*{_PAIR}){{{DUMP - 1},}}")
# As `env` writes them in a row, or the kernel.
_WORDS = re.compile(rf"(?<!\S)(?:[A-Z_][A-Z0-9_]{{2,}}=[^\s\0]*[ \0]+){{{DUMP},}}")
_VARIABLE = re.compile(
    r"""(?:export |declare -x )?[A-Z_][A-Z0-9_]*=.*|[{([ ]*b?["'][A-Z_][A-Z0-9_]*["'] ?[:,].*"""
    r"""|[{ ]*[A-Z_][A-Z0-9_]*: ["'].*""",
    re.DOTALL,
)

_NAME = (
    r"[\w.-]*(?:password|passwd|passphrase|secret|token|credentials?|signature|session[_-]?id"
    r"|(?:secret|api|access|private|signing|encryption|auth|ssh)[_-]?key(?:[_-]?id|[_-]?fallbacks)?"
    r"|key[_-]?id)"
    r"|(?:[\w.-]*[_.-])?(?:pwd|pass|pw|apikey)"
)
# A value up to the next space, or in its quotes.
_VALUE = rf"""(?:{_TEXT}|["']?[^\s"'][^\s]*)"""
# What says where the value is, or that there is none.
_NO_VALUE = re.compile(
    r"""(?:os\.environ(?:\.get)?|os\.getenv|env|config|getenv)[\[(]["']\w+["'][\])]+[,)\]}]*"""
    r"""|(?:None|null|True|true|False|false|undefined|""|''|\*+)[,)\]}]*"""
    rf"""|["']?{re.escape(REDACTED)}\S*"""
)
_ASSIGNED = re.compile(rf"(?i:(?<![\w.-])({_NAME})(\\?[\"']?\]?\s*=>?\s*))({_VALUE})")
# A class of Python's, such as InvalidToken, is followed by a colon too, and so is a part of an ARN.
# A name in quotation marks may be Python's bytes.
_MAPPED = re.compile(
    rf"""(?:(?<![\w.:-])|(?<=\bb)(?=["']))(["'](?i:{_NAME})["']|(?-i:[a-z0-9_.-]+|[A-Z0-9_.-]+|(?:[A-Z][a-z0-9]*-)+[A-Z][a-z0-9]*))"""
    rf"""(\s*:\s*)({_VALUE})"""
)
_NAMED = re.compile(_NAME, re.IGNORECASE)
_LINE = re.compile(rf"(?i:(\s*(?:(?:export|declare -x)\s+)?(?:{_NAME})=)(?=\S))(.*)", re.DOTALL)
_FLAG = re.compile(rf"(?i:(?<!\S)(--?(?:{_NAME})\s+))(?!-)({_VALUE})")
_HEADER = re.compile(
    r"""(?i:((?:authorization|\bcookie|\bset-cookie)["']?\s*[:=,]\s*(?:(?-i:b)?["'])?))([^"'\r\n]+)"""
)
_SCHEME = re.compile(r"\b((?:Bearer|Basic)\s+)(?=\S*[\d=])[\w.~+/=-]{8,}|\b(Token\s+)[0-9a-f]{20,}")
# Up to the last "@": a password can have more of them.
_USER = re.compile(
    r"((?<![a-z0-9+.-])[a-z][a-z0-9+.-]*://[^\s:/@\"']*):[^\s\"']{0,500}@", re.IGNORECASE
)
_KEY_AS_USER = re.compile(r"(\bhttps?://)[^\s:/@\"']{8,}@", re.IGNORECASE)
_FORMS = re.compile(
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|\bgh[opsur]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{20,}"
    r"|\bnpm_[A-Za-z0-9]{30,}|\bpypi-[\w-]{20,}|\bxox[a-z]-[\w-]{10,}|\bAIza[\w-]{30,}"
    r"|\b[rs]k_(?:live|test)_\w{10,}|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*|\bdjango-insecure-\S+"
)
# A secret access key of AWS has 40 characters, and a session token hundreds.
_RANDOM = re.compile(r"(?<![\w/+=.-])[A-Za-z0-9/+]{40,}={0,2}(?![\w/+=.-])")

_FILLED_IN = re.compile(r"""["']?\$\{?\w+\}?["']?""")


def redact(text: str, names: Iterable[str] = ()) -> str:
    """Return the text without environments, private keys, and values that may be secret.

    Args:
        text: Lines of a log, or a message.
        names: Names of variables whose values are secret, whatever they are called.
    """
    text = "\n".join(map(_cut, text.split("\n")))
    text = _KEY.sub(REDACTED, text)
    text = _WORDS.sub("[environment left out] ", _PAIRS.sub("[environment left out]", text))
    lines = _without_dumps(text.split("\n"))
    known = _known(names)
    return "\n".join(_without_values(line, known) for line in lines)


def has_secret(text: str) -> bool:
    """Tell whether a text holds what looks like a secret."""
    # What the shell fills in is not there yet.
    lines = _FILLED_IN.sub("None", text).split("\n")
    return bool(_KEY.search(text)) or any(_without_values(line, None) != line for line in lines)


def _cut(line: str) -> str:
    if len(line) <= LONGEST_LINE:
        return line
    # Half of a secret could not be told from other words.
    return f"{line[:LONGEST_LINE].rpartition(' ')[0]} …"


def _without_dumps(lines: list[str]) -> list[str]:
    """Leave out variables that follow one another, as after `env`."""
    kept: list[str] = []
    position = 0
    while position < len(lines):
        end, variables = position, 0
        for number in range(position, len(lines)):
            if _VARIABLE.fullmatch(lines[number].strip()):
                end, variables = number + 1, variables + 1
            elif variables == 0 or number - end >= GAP:
                break
        if variables >= DUMP:
            kept.append(f"[environment left out: {end - position} lines]")
            position = end
        else:
            kept.append(lines[position])
            position += 1
    return kept


def _without_values(line: str, known: re.Pattern[str] | None) -> str:
    line = _HEADER.sub(rf"\1{REDACTED}", line)
    line = _SCHEME.sub(lambda match: f"{match[1] or match[2]}{REDACTED}", line)
    line = _USER.sub(rf"\1:{REDACTED}@", line)
    line = _KEY_AS_USER.sub(rf"\1{REDACTED}@", line)
    whole = _LINE.fullmatch(line)
    if whole and not _NO_VALUE.fullmatch(whole[2]):
        return f"{whole[1]}{REDACTED}"
    for pattern in (_ASSIGNED, _MAPPED, _FLAG, *([] if known is None else [known])):
        line = pattern.sub(_without_value, line)
    line = _FORMS.sub(REDACTED, line)
    return _RANDOM.sub(lambda match: REDACTED if _is_random(match[0]) else match[0], line)


def _without_value(match: re.Match[str]) -> str:
    *before, value = match.groups()
    name = before[0].strip("\"'- ")
    if match.re is _MAPPED and not _NAMED.fullmatch(name):
        return match[0]
    if _NO_VALUE.fullmatch(value):
        return match[0]
    quote = re.match(r"b?([\"'])", value)
    ends = quote is not None and len(value) > 1 and value[-1] == quote[1]
    return "".join(before) + (f"{quote[1]}{REDACTED}{quote[1]}" if quote and ends else REDACTED)


def _known(names: Iterable[str]) -> re.Pattern[str] | None:
    listed = "|".join(map(re.escape, names))
    if not listed:
        return None
    return re.compile(rf"(?<!\w)({listed})([\"']?\]?\s*(?:=>?|:)\s*)({_VALUE})")


def _is_random(text: str) -> bool:
    """Whether a long word is no digest, path or name."""
    kinds = (str.isupper, str.islower, str.isdigit)
    return all(any(map(kind, text)) for kind in kinds) and text.count("/") <= len(text) // 10
