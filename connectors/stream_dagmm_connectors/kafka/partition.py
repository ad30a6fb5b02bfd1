"""One partition's model: records in, outgoing records out, and all of it a function of the log.

Everything here that influences learning (what is a dead letter, which types fields have, the
breaker, calibration) is state at an offset; no clock, no poll size, no count of processes. So two
processes that read the same records give the same bytes, and re-learning is scoring with the
output thrown away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from stream_dagmm_connectors.composed import fingerprint_of
from stream_dagmm_connectors.configuration import canonical, differences, lineage
from stream_dagmm_connectors.dead_letters import Rejection
from stream_dagmm_connectors.decoding import Decoder, Event
from stream_dagmm_connectors.events import event_ids
from stream_dagmm_connectors.feedback import Feedback
from stream_dagmm_connectors.judged import Judged
from stream_dagmm_connectors.kafka.breaker import Breaker
from stream_dagmm_connectors.kafka.client import Fetched, Outgoing, Place
from stream_dagmm_connectors.kafka.outgoing import (
    arithmetic_header,
    dead_letter_record,
    scored_record,
)
from stream_dagmm_connectors.kafka.pacing import OnError
from stream_dagmm_connectors.kafka.positions import Progress, Skip
from stream_dagmm_connectors.metrics import Counters
from stream_dagmm_connectors.scoring import (
    Detector,
    Judgement,
    Scorer,
    scoring_configuration,
)

CHECKPOINT_FORMAT = 1

Answer = Event | Feedback | Rejection | None
"""What a record is; None for a tombstone."""


def nobody_looks(judged: Judged) -> None:
    """Nobody does."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the model of any partition is made, and where what it gives goes."""

    detector: Callable[[], Detector]
    judgement: Judgement
    decoder: Callable[[], Decoder]
    output: str
    dead_letters: str
    on_error: OnError = "dead-letter"
    include_event: bool = False
    largest_bad_share: float = 0.5
    skip_to: Mapping[Place, int] = field(default_factory=dict)
    """Partition to offset: bad records before it stop nothing."""
    scored: Callable[[Judged], None] = nobody_looks
    """Shown what goes out, to count it; what it does comes back nowhere."""

    def configuration(self) -> dict[str, object]:
        """Everything that decides what is learned and written."""
        said = scoring_configuration(self.detector(), self.judgement)
        told = {"events": self.decoder().configuration()}
        return {name: canonical(value) for name, value in (said | told).items()}

    def lineage(
        self,
        place: Place,
        topic_id: str,
        start: int,
        parent: str | None,
        skipped: Sequence[Skip] = (),
    ) -> str:
        """The lineage of a model that begins at offset `start` of a partition."""
        left_out = {f"skipped from {first}": end for first, end in skipped}
        return lineage(
            self.configuration(),
            state_format=CHECKPOINT_FORMAT,
            source=f"{place.topic}:{topic_id}",
            start={"partition": place.partition, "offset": start} | left_out,
            parent=parent,
        )


class PartitionModel:
    """The model of one partition, from the start of its lineage."""

    def __init__(
        self,
        recipe: Recipe,
        place: Place,
        topic_id: str,
        start: int,
        parent: str | None = None,
        skipped: Sequence[Skip] = (),
    ) -> None:
        detector = recipe.detector()
        name = recipe.lineage(place, topic_id, start, parent, skipped)
        self.place = place
        self._fingerprint = fingerprint_of(detector)
        self._arithmetic = arithmetic_header(self._fingerprint)
        self.progress = Progress.begin(
            name,
            topic_id=topic_id,
            start=start,
            parent=parent,
            arithmetic=self._arithmetic.decode(),
            skipped=skipped,
        )
        self.counters = Counters()
        self.tombstones = 0
        self.stopped_by: str | None = None
        """Why the record at `progress.next_offset` must not be passed; None while all is well."""
        self._recipe = recipe
        self._scorer = Scorer(detector, recipe.judgement, lineage=name)
        self._decoder = recipe.decoder()
        self._breaker = Breaker(recipe.largest_bad_share)
        self._to = Place(recipe.output, place.partition)

    def relearn(self, records: list[Fetched]) -> None:
        """Learn records that were emitted before: as `score`, silently, and nothing stops it.

        Stretches that the lineage leaves out are passed over.
        """
        self._pass(self.progress.counted(records), emitted_before=True)
        if records:
            self.progress = replace(self.progress, next_offset=records[-1].offset + 1)

    def score(self, records: list[Fetched]) -> list[Outgoing]:
        """What goes out for these records, in order; then the model has learned them.

        Where a record must stop the process (`stopped_by`), those before it are still given.
        """
        return self._pass(records, emitted_before=False)

    def _pass(self, records: list[Fetched], emitted_before: bool) -> list[Outgoing]:
        answers: list[Answer] = []
        for record in records:
            answer = self._answer(record)
            if isinstance(answer, Rejection) and not emitted_before:
                self.stopped_by = self._why_stop(record, answer)
                if self.stopped_by is not None:
                    records = records[: len(answers)]
                    break
            self._breaker.see(bad=isinstance(answer, Rejection))
            answers.append(answer)
        return self._learn(records, answers, emitted_before)

    def _answer(self, record: Fetched) -> Answer:
        if record.value is None:
            return None
        return self._scorer.admitted(self._decoder.decode(record.value, record.headers))

    def _why_stop(self, record: Fetched, rejection: Rejection) -> str | None:
        if record.offset < self._recipe.skip_to.get(self.place, 0):
            return None
        where = f"{self.place}@{record.offset}: {rejection.reason}"
        here = f"{self.place.topic}:{self.place.partition}"
        if self._recipe.on_error == "fail":
            onward = f"--skip-to {here}:{record.offset + 1}"
            return f"{where}; correct the producer, then pass it with {onward}"
        if self._breaker.open:
            return (
                f"{where}; more than {self._breaker.largest_share:.0%} of the last records of "
                f"{self.place} were bad; look at the producer, then pass them with --skip-to "
                f"{here}:OFFSET"
            )
        return None

    def _learn(self, records: list[Fetched], answers: list[Answer], silent: bool) -> list[Outgoing]:
        items = [answer for answer in answers if isinstance(answer, (Event, Feedback))]
        judged = self._scorer.take(items)
        good = [r for r, a in zip(records, answers, strict=True) if isinstance(a, Event)]
        bad = [(r, a) for r, a in zip(records, answers, strict=True) if isinstance(a, Rejection)]
        self.counters.events += len(good)
        self.counters.alarms += sum(judged.alarms)
        for _, rejection in bad:
            stage = rejection.stage
            self.counters.dead_letters[stage] = self.counters.dead_letters.get(stage, 0) + 1
        self.counters.feedback += len(items) - len(good)
        self.tombstones += len(records) - len(items) - len(bad)
        self.progress = self.progress.after(records, self.counters.events)
        if silent:
            return []
        self._recipe.scored(judged)
        return self._scored(judged, good) + self._dead(bad)

    def _scored(self, judged: Judged, events: list[Fetched]) -> list[Outgoing]:
        (topic, partition), lineage = self.place, self.progress.lineage
        offsets = [record.offset for record in events]
        ids = event_ids(topic, partition, offsets, lineage)
        values = judged.encoded(ids, topic, partition, offsets, lineage)
        to, arithmetic, include_event = self._to, self._arithmetic, self._recipe.include_event
        return [
            scored_record(value, name, record, to, arithmetic, include_event)
            for value, name, record in zip(values, ids, events, strict=True)
        ]

    def _dead(self, bad: list[tuple[Fetched, Rejection]]) -> list[Outgoing]:
        if self._recipe.on_error == "skip":
            return []
        to = Place(self._recipe.dead_letters, self.place.partition)
        return [
            dead_letter_record(record, self.place, to, rejection, self.progress.lineage)
            for record, rejection in bad
        ]

    def to_state(self) -> dict[str, Any]:
        """Everything that the model needs to go on in another process."""
        return {
            "format": CHECKPOINT_FORMAT,
            "run": self._recipe.configuration(),
            "arithmetic": canonical(self._fingerprint),
            "progress": self.progress.to_state(),
            "scorer": self._scorer.to_state(),
            "decoder": self._decoder.to_state(),
            "breaker": asdict(self._breaker),
            "counters": self.counters.to_state(),
            "tombstones": self.tombstones,
        }

    def differences(self, state: Mapping[str, Any]) -> list[str]:
        """Where configuration and arithmetic are not those of a state, a line for each place."""
        changed = differences(self._recipe.configuration(), state["run"])
        return changed + differences(
            canonical(self._fingerprint), state["arithmetic"], "arithmetic"
        )

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `to_state`; `ValueError` with the differences if it is of another run."""
        if state.get("format") != CHECKPOINT_FORMAT:
            raise ValueError(
                f"checkpoint format {state.get('format')}, this version reads "
                f"{CHECKPOINT_FORMAT}; use the version that made it"
            )
        if changed := self.differences(state):
            raise ValueError(f"the checkpoint was made by another run: {'; '.join(changed)}")
        self.progress = self.progress.come_to(Progress.from_state(state["progress"]))
        self._scorer.restore(state["scorer"])
        self._decoder.load_state(state["decoder"])
        self._breaker = Breaker(**state["breaker"])
        self._breaker.largest_share = self._recipe.largest_bad_share
        self.counters = Counters.from_state(state["counters"])
        self.tombstones = int(state["tombstones"])
