"""The texts that int8 is calibrated with: a part of what its vectors depend on, so they never change by accident.

Activations are scaled to int8 by what these texts bring forth. They are written for this purpose: what users, shops and
forms say, short and long, in several languages and scripts.
"""

import hashlib
import json

# What quantizes. Another version may scale otherwise: it is pinned, and part of an encoder's fingerprint.
QUANTIZER = "nncf==3.4.0"
SMOOTHING = 0.7  # how far outliers of activations move into weights: cosine 0.997, with the default 0.995
INT8 = "int8"  # the precision
TEXTS = 256

SENTENCES = (
    "the milk was fresh and the bread still warm", "Arrived two days late, box crushed, but nothing broken.",
    "Would buy again.", "DAIRY WHOLE MILK 1 GAL", "soft drinks 12/18&15pk can car", "not worth $19.99!!",
    "My daughter loves the blue one; the red one fell apart after a week of normal use.", "ok", "5 stars",
    "Please call me back at the office, preferably before noon.", "How do I reset my password?",
    "The committee will publish its findings on employment and inflation next Thursday.",
    "Customers who bought this tent also looked at sleeping bags, stoves and head torches.",
    "def area(width, height): return width * height", "https://example.org/orders?id=4711&lang=en",
    "size 42, colour navy, cotton 95 % elastane 5 %", "I have used it daily for three years without a single fault.",
    "Die Lieferung kam pünktlich, aber die Schrauben fehlten.", "Sehr gute Qualität, gerne wieder!",
    "Der Zug nach Köln hat heute etwa zwanzig Minuten Verspätung.", "Käse, Wurst und frisches Gemüse vom Markt",
    "Le service était impeccable et le repas délicieux.", "Trop cher pour ce que c'est.",
    "La réunion est reportée à lundi prochain en raison des grèves.", "chaussures de course pour femme, pointure 38",
    "El paquete llegó antes de lo previsto y en perfecto estado.", "No funciona con la versión nueva.",
    "¿Dónde puedo cambiar la dirección de envío de mi pedido?", "aceite de oliva virgen extra, botella de 750 ml",
    "O produto é bom, mas a bateria dura pouco.", "Quero devolver este artigo e receber o reembolso.",
    "Il caffè è ottimo, la macchina un po' rumorosa.", "Consegna veloce, imballaggio curato, tutto come descritto.",
    "De fiets reed soepel, alleen het zadel was te hard.", "Bestelling geannuleerd, geld terug binnen een dag.",
    "Fungerar precis som den ska, rekommenderas varmt.", "Zamówienie dotarło uszkodzone, proszę o wymianę.",
    "Товар пришёл быстро, качеством доволен.", "Батарея держит весь день, экран очень яркий.",
    "Η εξυπηρέτηση ήταν εξαιρετική και γρήγορη.", "Ürün açıklamadaki gibi, çok memnun kaldım.",
    "المنتج جيد لكن التوصيل تأخر كثيرا", "המשלוח הגיע בזמן והאריזה שלמה", "सामान अच्छा है, कीमत भी सही है",
    "质量很好，物流也很快，下次还会再买。", "电池不耐用，屏幕有划痕，申请退货。", "今天的会议改到下午三点。",
    "とても使いやすく、デザインも気に入っています。", "届いた商品が壊れていました。交換をお願いします。",
    "배송이 빠르고 포장도 꼼꼼했어요.", "생각보다 작지만 품질은 만족합니다.", "สินค้าดี ส่งเร็ว ราคาไม่แพง",
    "Sản phẩm đúng như mô tả, giao hàng nhanh.", "Barang sampai dengan selamat, terima kasih.",
    "😀 love it 👍👍", "---", "N/A", "100% Arabica, dark roast, whole bean, 2 x 500 g", "A1-B2/C3_9 #77 (rev. 4)",
)  # fmt: skip


def calibration_texts() -> list[str]:
    """Each sentence alone, then texts of two to sixteen: neighbours of one language first, later from all over."""
    lengths = (2, 3, 2, 5, 2, 4, 3, 8, 2, 3, 6, 2, 4, 16)
    mixed = []
    for number in range(TEXTS - len(SENTENCES)):
        step = 1 + number // len(lengths)
        chosen = [SENTENCES[(number * 7 + k * step) % len(SENTENCES)] for k in range(lengths[number % len(lengths)])]
        mixed.append(" ".join(chosen))
    return [*SENTENCES, *mixed]


def calibration_identity() -> str:
    """sha256 (hex) of all that decides how a model becomes int8, but for the model itself."""
    return hashlib.sha256(json.dumps([QUANTIZER, SMOOTHING, calibration_texts()]).encode()).hexdigest()
