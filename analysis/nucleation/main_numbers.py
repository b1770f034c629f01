"""The numbers that a run is for, which are drawn against what was swept."""

from analysis.nucleation import labels, rates, skill
from analysis.record import Record
from analysis.sweep import MainNumber


def main_numbers(record: Record) -> list[MainNumber]:
    found, numbers = record.numbers.quantities, record.numbers

    def of(
        title: str, name: str, symbol: str = "", unit: str = "", curve: str = "", log: bool = False
    ) -> MainNumber:
        return MainNumber(title, found[name], symbol, unit, curve, log)

    rows = [
        of("mean lifetime", labels.LIFETIME, r"$\tau$", "MCS", rates.DIRECT, log=True),
        of("variation of the lifetime", labels.VARIATION, r"$\sigma_\tau / \tau$"),
        of("growth time", labels.GROWTH, r"from $p_\mathrm{nuc} = 1/2$", "MCS"),
        of("radius of gyration", labels.RADIUS, r"$R_g$", "sites"),
        of("correlation of p_nuc with m", labels.CORRELATION, "$r$"),
    ]
    if numbers.rates:
        flux = MainNumber(
            "mean lifetime", numbers.rates.lifetime, r"$\tau$", "MCS", rates.CURVE, log=True
        )
        rows.insert(1, flux)
    for model in numbers.models():
        _, folds = numbers.shown(model)
        error = skill.mse(folds)
        rows.append(
            MainNumber(
                "mean square error of p_nuc",
                error,
                curve=labels.label(model),
                log=True,
            )
        )
    return rows
