import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.api.backend import Engine
from steelyard.telemetry import samples
from steelyard.telemetry.samples import EngineSample, LoadedModel, Question, Topic

RECORDINGS = Path(__file__).parents[2] / "recordings" / "probes"
SMOLLM2 = "sha256:89903e11d2da2b3c2adb67463abd678ac696d96397caa754bcd4a1270dbc875d"
GEMMA3 = "sha256:7e20ef6ab763c869216f801e31957d02669811b750ef4291d6b5c5900c420f9e"
METRICS = (Engine.VLLM, Engine.SGLANG, Engine.LLAMA_CPP)


def recorded(name: str) -> bytes:
    return (RECORDINGS / f"{name}.body").read_bytes()


def load(engine: Engine, answer: bytes) -> EngineSample:
    return samples.read(engine, Topic.LOAD, answer)


def as_json(**fields: object) -> bytes:
    return json.dumps(fields).encode()


def loaded_model(name: str, digest: str | None) -> LoadedModel:
    return LoadedModel(name, digest, None, None, None, None)


@pytest.mark.parametrize(
    ("engine", "often", "seldom"),
    [
        (Engine.VLLM, [(Topic.LOAD, "/metrics")], [(Topic.SETTINGS, "/version")]),
        (
            Engine.OLLAMA,
            [(Topic.LOAD, "/api/ps")],
            [(Topic.MODELS, "/api/tags"), (Topic.SETTINGS, "/api/version")],
        ),
        (Engine.OPENAI, [], []),
    ],
)
def test_the_load_is_asked_often_and_the_rest_seldom(
    engine: Engine, often: list[tuple[Topic, str]], seldom: list[tuple[Topic, str]]
) -> None:
    asked = samples.questions(engine, "/v1")
    assert asked.often == tuple(Question(topic, (path,)) for topic, path in often)
    assert asked.seldom == tuple(Question(topic, (path,)) for topic, path in seldom)


def test_what_may_be_switched_off_has_another_path() -> None:
    (often,) = samples.questions(Engine.LLAMA_CPP, "/llm/v1", "/stats").often
    assert often.paths == ("/stats", "/llm/slots")


@pytest.mark.parametrize(
    ("engine", "name", "sample"),
    [
        (Engine.VLLM, "vllm-0.32.0", EngineSample(running=0, waiting=0, cache_use=0.0, output_tokens=74.0)),
        (Engine.LLAMA_CPP, "llama.cpp-b11434", EngineSample(running=0, waiting=0, output_tokens=104.0)),
    ],
)
def test_idle_real_engines_are_at_zero_and_not_unknown(
    engine: Engine, name: str, sample: EngineSample
) -> None:
    assert load(engine, recorded(f"{name}/metrics")) == sample
    assert samples.activity(sample) == 0


def test_every_engine_core_of_vllm_counts() -> None:
    answer = (
        b"# HELP vllm:num_requests_running Number of requests\r\n"
        b'vllm:num_requests_running{engine="0",model_name="a } 9"} 3.0\r\n'
        b'vllm:num_requests_running{engine="1",model_name="a } 9"} 1.0\r\n'
        b'vllm:num_requests_waiting{engine="0"} 2.0 1795255306000\r\n'
        b'vllm:num_requests_waiting_by_reason{reason="capacity"} 50.0\r\n'
        b'vllm:kv_cache_usage_perc{engine="0"} 0.5\r\n'
        b'vllm:kv_cache_usage_perc{engine="1"} 0.25\r\n'
        b'vllm:generation_tokens_total{engine="0"} 100 # {trace_id="x"} 1.0\r\n'
        b'vllm:generation_tokens_total{engine="1"} 20\r\n# EOF\r\n'
    )
    assert load(Engine.VLLM, answer) == EngineSample(4, 2, None, 0.375, 120.0)


def test_an_older_vllm_has_another_name_for_its_cache() -> None:
    assert load(Engine.VLLM, b"vllm:gpu_cache_usage_perc 0.25\n").cache_use == 0.25
    both = b"vllm:gpu_cache_usage_perc 0.25\nvllm:kv_cache_usage_perc 0.5\n"
    assert load(Engine.VLLM, both).cache_use == 0.5


def test_an_older_llama_cpp_tells_its_cache() -> None:
    assert load(Engine.LLAMA_CPP, b"llamacpp:kv_cache_usage_ratio 0.75\n").cache_use == 0.75


def test_sglangs_ranks_tell_the_same_requests_and_its_replicas_others() -> None:
    rank = 'model_name="m",engine_type="unified",tp_rank="%d",pp_rank="0",moe_ep_rank="0",dp_rank="%d"'
    ranks = [(rank % (tp, dp), 3 + dp) for dp in (0, 1) for tp in (0, 1)]
    answer = "".join(
        f"sglang:num_running_reqs{{{labels}}} {count}.0\nsglang:num_queue_reqs{{{labels}}} 1.0\n"
        f"sglang:token_usage{{{labels}}} {count / 8}\n"
        for labels, count in ranks
    )
    sample = load(Engine.SGLANG, answer.encode())
    assert sample == EngineSample(running=7, waiting=2, cache_use=0.4375)


def test_sglangs_shares_by_priority_are_part_of_its_total() -> None:
    answer = "".join(
        f'sglang:{name}{{priority="{priority}"}} {count}\n'
        for name in ("num_running_reqs", "num_queue_reqs")
        for priority, count in (("", 5), ("0", 3), ("7", 2))
    )
    assert samples.activity(load(Engine.SGLANG, answer.encode())) == 10


def test_sglangs_tokens_are_those_made_so_far_where_it_tells_them() -> None:
    ended = b"sglang:generation_tokens_total{%b} 70\nsglang:generation_tokens_total{%b} 30\n"
    ended %= (b'is_streaming="true"', b'is_streaming="false"')
    made = b"sglang:realtime_tokens_total{%b} 900\nsglang:realtime_tokens_total{%b} 150\n"
    made %= (b'mode="prefill_compute"', b'mode="decode"')
    assert load(Engine.SGLANG, ended).output_tokens == 100
    assert load(Engine.SGLANG, ended + made).output_tokens == 150


def test_sglang_without_metrics_tells_its_loads() -> None:
    core = {"num_running_reqs": 2, "num_waiting_reqs": 1, "token_usage": 0.5, "max_running_requests": 128}
    answer = as_json(
        version="0.5.20", loads=[core | {"dp_rank": 0}, core | {"dp_rank": 1, "token_usage": 0.25}]
    )
    assert load(Engine.SGLANG, answer) == EngineSample(4, 2, 256, 0.375)


@pytest.mark.parametrize("engine", METRICS)
@pytest.mark.parametrize("value", [b"NaN", b"+Inf", b"-1", b"many", b"1e300", b"", b"\xff"])
def test_a_number_that_cannot_be_read_is_unknown_and_the_others_are_not(engine: Engine, value: bytes) -> None:
    answer = b"""
vllm:num_requests_running 1
vllm:num_requests_waiting %b
sglang:num_running_reqs 1
sglang:num_queue_reqs %b
llamacpp:requests_processing 1
llamacpp:requests_deferred %b
""" % (value, value, value)
    assert load(engine, answer) == EngineSample(running=1)


def test_one_engine_core_that_cannot_be_read_makes_the_sum_unknown() -> None:
    answer = b'vllm:num_requests_running{engine="0"} 1\nvllm:num_requests_running{engine="1"} NaN\n'
    assert load(Engine.VLLM, answer).running is None


@pytest.mark.parametrize(("told", "share"), [(b"1.0000001", 1.0), (b"87.5", None), (b"-0.1", None)])
def test_a_share_is_at_most_one(told: bytes, share: float | None) -> None:
    assert load(Engine.VLLM, b"vllm:kv_cache_usage_perc %b\n" % told).cache_use == share


@pytest.mark.parametrize(
    ("running", "waiting", "activity"),
    [(2, 3, 5), (2, None, 2), (None, 3, 3), (0, 0, 0), (0, None, None), (None, 0, None), (None, None, None)],
)
def test_activity_is_told_when_there_is_some_for_sure(
    running: int | None, waiting: int | None, activity: int | None
) -> None:
    assert samples.activity(EngineSample(running=running, waiting=waiting)) == activity


def test_free_slots_say_that_nobody_waits() -> None:
    idle = recorded("llama.cpp-b11434/slots")
    assert load(Engine.LLAMA_CPP, idle) == EngineSample(running=0, waiting=0, capacity=2)
    one = idle.replace(b"false}", b"true}", 1)
    assert load(Engine.LLAMA_CPP, one) == EngineSample(running=1, waiting=0, capacity=2)
    assert load(Engine.LLAMA_CPP, one.replace(b"false}", b"true}")) == EngineSample(running=2, capacity=2)


@pytest.mark.parametrize(
    "answer", [b"[]", b"{}", b"<html>", b"[1]", b"[null]", b'[{"is_processing": "yes"}]', b"[" * 99_999]
)
def test_slots_that_tell_nothing_are_unknown(answer: bytes) -> None:
    assert load(Engine.LLAMA_CPP, answer) == EngineSample()


def test_a_real_ollama_tells_what_is_in_its_memory_and_no_queue() -> None:
    sample = load(Engine.OLLAMA, recorded("ollama-0.17.4/ps_two"))
    assert sample.loaded == (
        LoadedModel("gemma3:270m", GEMMA3, 456, 0, 4096, 11018630122.431053),
        LoadedModel("smollm2:135m", SMOLLM2, 183, 0, 4096, 1795258384.711535),
    )
    assert samples.activity(sample) is None
    assert load(Engine.OLLAMA, recorded("ollama-0.17.4/ps_empty")).loaded == ()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-21T10:53:04.711535731Z", 1795258384.711535),
        ("2026-11-21T12:53:04+02:00", 1795258384.0),
        ("2319-03-03T10:35:22.431053063Z", 11018630122.431053),
        ("0001-01-01T00:00:00Z", -62135596800.0),
        ("2026-11-21T10:53:04", None),
        ("soon", None),
        ("", None),
        (None, None),
        (1795258384, None),
    ],
)
def test_when_a_model_goes_is_read_from_any_time_with_a_zone(text: object, seconds: float | None) -> None:
    (model,) = load(Engine.OLLAMA, as_json(models=[{"name": "m", "expires_at": text}])).loaded or ()
    assert model.expires_at == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize("size", [None, -1, "5", True, 1.5, 10**400, [], {}])
def test_a_loaded_model_of_unknown_size_is_loaded_all_the_same(size: object) -> None:
    entry = {"name": "m", "size": size, "size_vram": size, "context_length": size, "digest": size}
    assert load(Engine.OLLAMA, as_json(models=[entry])).loaded == (loaded_model("m", None),)


def test_a_real_ollama_tells_which_models_it_has() -> None:
    sample = samples.read(Engine.OLLAMA, Topic.MODELS, recorded("ollama-0.17.4/tags"))
    assert sample.models is not None and len(sample.models) == 3
    assert sample.models["smollm2:135m"] == SMOLLM2
    assert samples.has(sample, "registry.ollama.ai/library/SmolLM2:135M") is True
    assert samples.has(sample, "smollm2") is False
    assert samples.has(EngineSample(), "smollm2:135m") is None


def test_more_models_than_a_status_holds_are_had_all_the_same() -> None:
    answer = as_json(models=[{"name": f"model-{number:03}"} for number in range(300)])
    sample = samples.read(Engine.OLLAMA, Topic.MODELS, answer)
    assert samples.has(sample, "model-299") is True


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("smollm2", "smollm2:latest"),
        ("SmolLM2:135M", "smollm2:135m"),
        ("library/smollm2:135m", "smollm2:135m"),
        ("me/smollm2", "me/smollm2:latest"),
        ("host:5000/me/smollm2", "host:5000/me/smollm2:latest"),
    ],
)
def test_ollamas_names_of_one_model_are_one(name: str, canonical: str) -> None:
    assert samples.canonical(name) == canonical


def test_a_copy_is_loaded_under_the_name_of_the_other() -> None:
    a, b = "sha256:" + "a" * 64, "sha256:" + "b" * 64
    sample = EngineSample(
        loaded=(loaded_model("m:latest", a),), models={"m:latest": a, "copy:latest": a, "n:latest": b}
    )
    assert samples.loaded(sample, "copy") == loaded_model("m:latest", a)
    assert samples.loaded(sample, "copy", digest=b) == loaded_model("m:latest", a)
    assert samples.loaded(sample, "n") is None


def test_a_model_that_was_pulled_anew_is_not_the_one_in_memory() -> None:
    old, new = "sha256:" + "a" * 64, "sha256:" + "b" * 64
    sample = EngineSample(loaded=(loaded_model("m:latest", old),), models={"m:latest": new})
    assert samples.loaded(sample, "m") is None


def test_without_digests_the_name_tells_what_is_loaded() -> None:
    sample = EngineSample(loaded=(loaded_model("m:latest", None),))
    assert samples.loaded(sample, "library/m", digest=SMOLLM2) == loaded_model("m:latest", None)
    assert samples.loaded(sample, "n") is None
    assert samples.loaded(EngineSample(), "m") is None


@pytest.mark.parametrize(
    ("engine", "name", "version", "capacity"),
    [
        (Engine.VLLM, "vllm-0.32.0/version", "0.32.0", None),
        (Engine.LLAMA_CPP, "llama.cpp-b11434/props", "b0-unknown", 2),
        (Engine.OLLAMA, "ollama-0.17.4/version", "0.17.4", None),
    ],
)
def test_real_engines_tell_their_version(
    engine: Engine, name: str, version: str, capacity: int | None
) -> None:
    sample = samples.read(engine, Topic.SETTINGS, recorded(name))
    assert sample == EngineSample(version=version, capacity=capacity)


def test_sglang_tells_its_version_and_room_among_its_arguments() -> None:
    states = [{"effective_max_running_requests_per_dp": 128}] * 2
    answer = as_json(model_path="m", api_key="secret", version="0.5.20", internal_states=states)
    assert samples.read(Engine.SGLANG, Topic.SETTINGS, answer) == EngineSample(version="0.5.20", capacity=256)


@pytest.mark.parametrize("value", [None, 5, "", "  ", "1\n2", "x" * 65])
def test_a_version_that_is_none_is_absent(value: object) -> None:
    assert samples.read(Engine.VLLM, Topic.SETTINGS, as_json(version=value)) == EngineSample()


@pytest.mark.parametrize("slots", [None, 0, -1, "2", True, 10**400])
def test_a_number_of_slots_that_is_none_is_absent(slots: object) -> None:
    assert samples.read(Engine.LLAMA_CPP, Topic.SETTINGS, as_json(total_slots=slots)) == EngineSample()


def test_answers_add_up_and_only_what_a_new_one_is_about_is_replaced() -> None:
    known = samples.read(Engine.OLLAMA, Topic.MODELS, recorded("ollama-0.17.4/tags"))
    known = samples.read(Engine.OLLAMA, Topic.SETTINGS, recorded("ollama-0.17.4/version"), known)
    first = samples.read(Engine.OLLAMA, Topic.LOAD, recorded("ollama-0.17.4/ps_two"), known)
    broken = samples.read(Engine.OLLAMA, Topic.LOAD, b"<html>", first)
    assert (first.models, first.version) == (known.models, "0.17.4")
    assert first.loaded and broken == known


def test_slots_that_were_told_stay_while_the_metrics_do_not_tell_them() -> None:
    known = samples.read(Engine.LLAMA_CPP, Topic.SETTINGS, recorded("llama.cpp-b11434/props"))
    sample = samples.read(Engine.LLAMA_CPP, Topic.LOAD, recorded("llama.cpp-b11434/metrics"), known)
    assert (sample.running, sample.capacity) == (0, 2)


@given(
    st.sampled_from(Engine),
    st.sampled_from(Topic),
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.integers() | st.floats() | st.sampled_from(["models", "name", "loads", "m"]),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.sampled_from(["models", "name", "loads", "size"]), inner)
        ),
    ).map(lambda value: json.dumps(value).encode()),
)
def test_any_bytes_can_be_read(engine: Engine, topic: Topic, answer: bytes) -> None:
    assert isinstance(samples.read(engine, topic, answer), EngineSample)
