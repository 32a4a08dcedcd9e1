"""The languages a text can be told to be in."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

UNDETERMINED = "und"
_CODES = """
ace af am an ar ary arz as az ba bcl be bg bn br bs ca crh cs cy da de dz el en eo es et eu ext fa fi fo fr fuv fy ga
gcf gcr gd gl gom grc gu gug guw ha hbo he hi hr ht hu hy id ig is it ja jv ka kab kik kk km kn ko ku ky la lb lg lij
ln lo lt ltg lv mg mk ml mn mr ms mt my ne nl nn no nso oc om or pa pcm pl ps pt qu ro ru rw sa sdh se si sk sl sn so
sq sr st sv sw ta te tg th tk tl tr tt ug uk ur uz uzs vec vi vo wa wuu xh yo yue zh zu zxx
"""
_NAMES = {
    "arabic": "ar", "bengali": "bn", "chinese": "zh", "cn": "zh", "dutch": "nl", "english": "en", "french": "fr",
    "german": "de", "hindi": "hi", "indonesian": "id", "italian": "it", "japanese": "ja", "jp": "ja", "korean": "ko",
    "kr": "ko", "polish": "pl", "portuguese": "pt", "russian": "ru", "spanish": "es", "swedish": "sv", "thai": "th",
    "turkish": "tr", "ukrainian": "uk", "vietnamese": "vi", "unknown": UNDETERMINED,
}  # fmt: skip
LANGUAGES: tuple[str, ...] = (*_CODES.split(), UNDETERMINED)
"""ISO 639 codes that language detection tells apart; `und` is a text too short, or too mixed, to tell."""


def _known(code: str) -> str:
    if code not in LANGUAGES:
        plain = code.lower().replace("_", "-").split("-")[0]
        meant = plain if plain in LANGUAGES else _NAMES.get(plain)
        advice = f"did you mean {meant!r}?" if meant else "write an ISO 639 code such as en or zh"
        raise ValueError(f"there is no language {code!r}: {advice}")
    return code


def _some(codes: Any) -> Any:
    if isinstance(codes, list | tuple) and not codes:
        raise ValueError("found an empty list, expected at least one")
    return codes


Language = Annotated[str, AfterValidator(_known)]
Languages = Annotated[
    tuple[Language, ...],
    # Not a least length of pydantic: it would count only the codes that are right.
    BeforeValidator(_some),
    WithJsonSchema({"type": "array", "minItems": 1, "items": {"enum": list(LANGUAGES)}}),
]
