"""Themes that no schema, code list or example may name, because a value about them can harm the person whom it
concerns. Each theme has a pattern of the words by which it is found.
"""

import re
from types import MappingProxyType

_WORDS = {
    "conflict or group affiliation": (
        r"(war|combat|conflict) zones?|armed|combatants?|fighters?|militan\w*|terror\w*|extremis\w*|affiliat\w*"
        r"|insurgen\w*|ethnic\w*"
    ),
    "returnee or repatriation": r"returnees?|repatriat\w*|deport\w*|evacuat\w*|returned from",
    "camp or detention history": r"camps?|detention\w*|detain\w*|prison\w*|imprison\w*|jail\w*|custody|intern(ed|ment)",
    "relatives' offences": r"offen[cs]es?|offend\w*|convict\w*|crimes?|criminal\w*",
    "ideology or religiosity": r"ideolog\w*|religi\w*|(de)?radicali\w*|worship\w*|prayers?|mosques?|faith|loyalty",
    "biometrics": r"biometr\w*|fingerprint\w*|iris|retina\w*|dna|voiceprint\w*|facial",
    "photographs": r"photo\w*|pictures?|portraits?|selfies?|images?|videos?",
}
FORBIDDEN = MappingProxyType({theme: re.compile(rf"\b({words})\b") for theme, words in _WORDS.items()})

_SCHEMA = re.compile(r"\bschemas?\b")  # "fingerprint of the schema" is no biometric datum


def forbidden_themes(text: str) -> tuple[str, ...]:
    """The themes whose words occur in `text`, which is a name (`campHistory`, `camp_history`) or a sentence."""
    words = " ".join(re.findall(r"[A-Z]?[a-z]+|[A-Z]+", text)).lower()
    return tuple(
        theme
        for theme, pattern in FORBIDDEN.items()
        if pattern.search(words) and not (theme == "biometrics" and _SCHEMA.search(words))
    )
