"""Feast's batch engine: `feast materialize` computes histories with Limner's workers and fills the online store."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from feast import Entity, FeatureView, RepoConfig
from feast.base_feature_view import BaseFeatureView
from feast.infra.common.materialization_job import MaterializationJob, MaterializationJobStatus, MaterializationTask
from feast.infra.common.retrieval_task import HistoricalRetrievalTask
from feast.infra.compute_engines.base import ComputeEngine
from feast.infra.offline_stores.offline_store import OfflineStore
from feast.infra.online_stores.online_store import OnlineStore
from feast.infra.registry.base_registry import BaseRegistry
from feast.repo_config import FeastConfigBaseModel
from pydantic import ConfigDict

from limner.feature_repo import interval
from limner.feature_repo.applied import applied_plan, serve_registered, served_online
from limner.feature_repo.compile import FINGERPRINT_TAG, last_compiled, profile_lists
from limner.feature_repo.costing import Costing
from limner.feature_repo.errors import FeastFacingError, facing_feast
from limner.feature_repo.events_view import EVENTS_TAG
from limner.feature_repo.mending import mend_online, only_warnings
from limner.feature_repo.online_sink import Sink
from limner.feature_repo.online_store import LimnerOnlineStore, online_place
from limner.feature_repo.ordering import beginnings, in_order, widened
from limner.feature_repo.project import Project
from limner.feature_repo.recovery import keep_servable, recover
from limner.feature_repo.switching import Switching
from limner.language.errors import LimnerError
from limner.workers import report
from limner.workers.context import RunContext
from limner.workers.history.lock import view_lock
from limner.workers.history.manifest import History
from limner.workers.ledger import Ledger
from limner.workers.online.loading import state_of
from limner.workers.online.opening import open_writer
from limner.workers.report import Reporter
from limner.workers.running import running


class LimnerEngineConfig(FeastConfigBaseModel):
    """`batch_engine:` of feature_store.yaml. EngineSettings reads the keys; Feast does not look at them."""

    model_config = ConfigDict(extra="allow")
    type: str = "limner.feature_repo.engine.LimnerEngine"


@dataclass
class Job(MaterializationJob):
    """How one view's task ended."""

    task: MaterializationTask
    failure: BaseException | None = None

    def status(self) -> MaterializationJobStatus:
        """SUCCEEDED or ERROR."""
        return MaterializationJobStatus.ERROR if self.failure else MaterializationJobStatus.SUCCEEDED

    def error(self) -> BaseException | None:
        """Why it failed; Feast takes an ERROR without one for a success."""
        return self.failure

    def should_be_retried(self) -> bool:
        """Never by Feast: what can be retried has been."""
        return False

    def job_id(self) -> str:
        """View and interval."""
        return f"{self.task.feature_view.name}-{self.task.start_time:%Y%m%dT%H%M%S}-{self.task.end_time:%Y%m%dT%H%M%S}"

    def url(self) -> str | None:
        """There is no page to look at."""
        return None


class LimnerEngine(ComputeEngine):
    """Computes what was applied. A failure of one view leaves the others, and all that is served, as they were."""

    supports_batch = True  # all views in one call, one job each; Feast ends with exit code 1 if one failed

    def __init__(
        self, *, repo_config: RepoConfig, offline_store: OfflineStore, online_store: OnlineStore, **settings: Any
    ) -> None:
        super().__init__(repo_config=repo_config, offline_store=offline_store, online_store=online_store)
        del settings  # the same section that `repo_config` carries
        with facing_feast():
            self._project = Project.configured(repo_config)

    def update(
        self,
        project: str,
        views_to_delete: Sequence[BaseFeatureView],
        views_to_keep: Sequence[BaseFeatureView],
        entities_to_delete: Sequence[Entity],
        entities_to_keep: Sequence[Entity],
    ) -> None:
        """Part of `feast apply`: serve the profiles as now declared, and record the deployment."""
        with facing_feast():
            compiled = last_compiled(self._project)
            if compiled is not None and isinstance(self.online_store, LimnerOnlineStore):
                members = profile_lists(compiled.specs)
                with open_writer(online_place(self.repo_config)) as writer:
                    writer.set_profiles(served_online(members, compiled.specs), compiled.programs.values())
            kept = {view.name: view.tags[FINGERPRINT_TAG] for view in views_to_keep if FINGERPRINT_TAG in view.tags}
            dropped = [view.name for view in views_to_delete if EVENTS_TAG not in view.tags]
            _record(self._project.settings.ledger, kept, dropped)

    def teardown_infra(self, project: str, fvs: Sequence[FeatureView], entities: Sequence[Entity]) -> None:
        """Nothing runs between materializations."""

    def get_historical_features(self, registry: BaseRegistry, task: HistoricalRetrievalTask) -> Any:
        """Feast asks the offline store, never an engine."""
        raise FeastFacingError("historical features come from the offline store: use store.get_historical_features")

    def materialize(
        self, registry: BaseRegistry, tasks: MaterializationTask | list[MaterializationTask], **kwargs: Any
    ) -> list[MaterializationJob]:
        """Run one task a view, in order; one job each, also after Ctrl-C."""
        tasks = [tasks] if isinstance(tasks, MaterializationTask) else tasks
        for task in tasks:
            keep_servable(task.feature_view)
        jobs: list[MaterializationJob] = [Job(task) for task in tasks]
        try:
            self._run_all(registry, tasks, jobs)
        except BaseException as error:  # noqa: BLE001 (not swallowed: Feast raises it from the jobs)
            # A job that is not told apart from success would advance the watermark.
            for position, task in enumerate(tasks):
                if jobs[position].error() is None:
                    jobs[position] = Job(task, _facing(error))
        return jobs

    def _run_all(
        self, registry: BaseRegistry, tasks: list[MaterializationTask], jobs: list[MaterializationJob]
    ) -> None:
        """Fill `jobs`. A failure that is not one view's own (Ctrl-C, no ledger) is raised."""
        recover(registry, self.repo_config.project)
        names = [task.feature_view.name for task in tasks]
        failures: dict[str, BaseException] = {}
        summary: dict[str, Any] = {}
        with (
            self._run(names, tasks, failures, summary) as context,
            Switching(self._project, self.repo_config, self.online_store, registry, context) as switching,
        ):
            unfinished: BaseException | None = None
            first = beginnings(tasks)
            for position in in_order(tasks):
                task = tasks[position]
                if unfinished is None:
                    try:
                        begin = first.get(task.feature_view.name)
                        summary[task.feature_view.name] = self._one(task, context, switching, begin)
                    except LimnerError as error:
                        failures[task.feature_view.name] = error
                    except BaseException as error:  # noqa: BLE001 (raised below, once every job knows its fate)
                        unfinished = error
                if unfinished is not None:
                    failures[task.feature_view.name] = unfinished
                if task.feature_view.name in failures:
                    context.reporter(report.ViewFailed(task.feature_view.name, str(failures[task.feature_view.name])))
                    jobs[position] = Job(task, failures[task.feature_view.name])
            if unfinished is None:
                for view, wait in switching.finish().items():
                    summary.setdefault(view, {})["waits_for"] = wait.other
                serve_registered(registry, self.repo_config, self.online_store)
        told = _one_error(failures)
        for position, job in enumerate(jobs):
            if job.error() is not None:
                jobs[position] = Job(tasks[position], told)

    @contextmanager
    def _run(
        self,
        names: list[str],
        tasks: list[MaterializationTask],
        failures: dict[str, BaseException],
        summary: dict[str, Any],
    ) -> Iterator[RunContext]:
        """A run in the ledger, and the workers for it."""
        from limner.workers.cluster import Cluster

        settings = self._project.settings
        ledger = Ledger(settings.ledger)
        start = min(interval.micros(task.start_time) for task in tasks) if tasks else None
        end = max(interval.micros(task.end_time) for task in tasks) if tasks else None
        cluster = partial(Cluster, settings)
        reporter = only_warnings if report.current() is report.silent else report.current()
        try:
            with running(settings, ledger, cluster, "materialize", names, start, end, reporter) as run:
                run.summary = summary
                yield run.context
                if failures:
                    interrupted = any(isinstance(failure, KeyboardInterrupt) for failure in failures.values())
                    run.status = "interrupted" if interrupted else "failed"
                    run.error = "; ".join(f"{view}: {failure}" for view, failure in failures.items())
        finally:
            ledger.close()

    def _one(
        self, task: MaterializationTask, context: RunContext, switching: Switching, first: int | None
    ) -> dict[str, Any]:
        """History, then online values, then the ledger: each step can be repeated, and the last one records success."""
        from limner.workers.run import materialize

        begun, at = time.monotonic(), time.time_ns() // 1000
        mended: dict[str, Any] = {}
        plan = applied_plan(task.feature_view, self._project)
        with ExitStack() as locks, _progress(task, context.reporter) as progress:
            locks.enter_context(view_lock(plan.data / "online" / plan.name))
            history = History(plan.folder / plan.fingerprint)
            wanted = widened(interval.wanted(task, plan, history), history, first)
            sink = Sink(self.repo_config, self.online_store, task.feature_view, plan, state_of(history))
            costing = Costing(context, history)
            result = materialize(plan, wanted.start, wanted.end, costing.context, switch=lambda *_: None)
            online = 0
            if switching.needed(sink):
                online = switching.add(sink, history, locks.pop_all(), progress)
            elif plan.view.online:
                check = sink.check_due(self._project.settings.check_online, at, replaced=result.replaced)
                online = sink.write(history, result.latest(), progress, checked=check)
                if check:
                    mended = mend_online(sink, history, at, context.reporter)
        seconds = time.monotonic() - begun
        context.reporter(report.ViewDone(plan.name, result.history_rows, online, seconds, result.summary))
        return {
            **result.summary,
            **mended,
            **costing.summary(plan, result.history_rows, online, self.repo_config, self.online_store),
            "reasons": list(result.reasons),
            "online_rows": online,
            "seconds": round(seconds, 3),
        }


@contextmanager
def _progress(task: MaterializationTask, reporter: Reporter) -> Iterator[Any]:
    """Tell how many profiles are written: to our reporter, or by Feast's own bar where nobody listens."""
    view, done = task.feature_view.name, 0

    def tell(rows: int) -> None:
        nonlocal done
        done += rows
        reporter(report.OnlineWritten(view, done, done))

    if reporter is not only_warnings or task.tqdm_builder is None:
        yield tell
        return
    bar = task.tqdm_builder(0)
    bar.total = None  # not known before the last row is read
    try:
        yield bar.update
    finally:
        bar.close()


def _record(url: str, kept: Mapping[str, str], dropped: Sequence[str]) -> None:
    """Record a deployment: what it changed, by fingerprint."""
    if not kept and not dropped:
        return
    ledger = Ledger(url)
    try:
        last: dict[str, str | None] = {}
        for deployment in ledger.deployments(limit=10_000):
            last.setdefault(deployment.view, deployment.fingerprint)
        changes = [
            (view, "new" if last.get(view) is None else "changed", fingerprint)
            for view, fingerprint in kept.items()
            if last.get(view) != fingerprint
        ]
        gone: list[tuple[str, str, str | None]] = [(view, "dropped", None) for view in dropped]
        if changes or gone:
            ledger.deploy([*changes, *gone])
    finally:
        ledger.close()


def _facing(error: BaseException) -> BaseException:
    if isinstance(error, LimnerError) and not isinstance(error, FeastFacingError):
        facing = FeastFacingError(str(error))
        facing.__cause__ = error
        return facing
    return error


def _one_error(failures: dict[str, BaseException]) -> BaseException | None:
    """Feast raises the first job's error alone: let it speak for all views. A bug or Ctrl-C is raised as it is."""
    for error in failures.values():
        if not isinstance(error, LimnerError):
            return error
    if not failures:
        return None
    first = next(iter(failures.values()))
    told = FeastFacingError("\n".join(f"{view}: {error}" for view, error in failures.items()))
    told.__cause__ = first
    return told
