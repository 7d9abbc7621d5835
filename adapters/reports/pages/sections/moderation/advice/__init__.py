"""Which thresholds would have served better."""

from adapters.reports.pages.section import Section


class Advice(Section):
    @property
    def is_shown(self) -> bool:
        return bool(self.report.live)
