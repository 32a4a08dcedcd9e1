"""Figures as people read them."""


def figure(value: float) -> str:
    """Three significant digits, thousands apart: 0.0123, 1.23, 1,230."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{float(f'{value:.3g}'):g}"
