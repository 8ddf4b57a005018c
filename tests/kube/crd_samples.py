"""Samples of the three kinds: the least that is accepted, and all that can be said.

Invariant: the full samples of a kind hold every field of its schema; test_crd_schemas.py holds them to it.
"""

import copy
from typing import Any

from steelyard.api import crd
from steelyard.api.backend import LLMBackend
from steelyard.api.meta import Resource
from steelyard.api.policy import RoutingPolicy
from steelyard.api.profile import ModelProfile

Json = Any
"""A value as JSON has it."""

TYPES: dict[str, type[Resource]] = {
    "LLMBackend": LLMBackend,
    "ModelProfile": ModelProfile,
    "RoutingPolicy": RoutingPolicy,
}
"""The type by kind."""

URL_BACKEND = {"engine": "VLLM", "url": "http://h"}
"""The least that a backend at an address says."""

LEAST: dict[str, Json] = {
    "LLMBackend": URL_BACKEND,
    "ModelProfile": {"backendRef": {"name": "b"}, "model": "m"},
    "RoutingPolicy": {"models": [{"name": "auto"}]},
}
"""The least spec by kind."""

_TIME = "2026-11-21T10:00:00Z"
_DIGEST = f"sha256:{'0a' * 32}"
_PRICE = {"inputUsdPerMillionTokens": "0.0098", "outputUsdPerMillionTokens": "0.742"}
_INTERVAL = {"scorePercent": 71, "lowPercent": 61, "highPercent": 79}

_CAPABILITIES = {
    "chat": True,
    "completions": True,
    "embeddings": False,
    "vision": False,
    "tools": True,
    "jsonSchema": True,
    "jsonMode": True,
    "reasoning": False,
    "rerank": False,
    "audio": False,
    "images": False,
    "streamUsage": True,
    "logprobs": False,
    "systemPrompt": True,
}

_PRIOR = {"category": "Writing", "scorePercent": 74, "samples": 20, "source": "arena, 2026-10"}

_OPTIONS = {
    "suite": "Quick",
    "seed": 2,
    "load": {"concurrency": [1, 2], "promptTokens": 64, "outputTokens": 32},
    "refresh": {"onChange": False, "maxAgeHours": 24, "driftPercent": 30},
    "limits": {
        "maxDurationSeconds": 60,
        "maxTokens": 5000,
        "onlyWhenIdle": False,
        "maxIdleWaitSeconds": 0,
    },
    "job": {
        "resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "256Mi"}},
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [
            {
                "key": "dedicated",
                "operator": "Equal",
                "value": "models",
                "effect": "NoExecute",
                "tolerationSeconds": 0,
            }
        ],
        "priorityClassName": "low",
        "runtimeClassName": "runc",
        "imagePullSecrets": [{"name": "registry"}],
    },
}

_SERVICE_BACKEND = {
    "engine": "VLLM",
    "serviceRef": {"name": "vllm", "port": "http", "path": "/v1", "routing": "ClusterIP"},
    "models": [
        {
            "name": "meta-llama/Llama-3.1-8B-Instruct",
            "aliases": ["llama-8b"],
            "contextTokens": 131072,
            "capabilities": _CAPABILITIES,
            "price": _PRICE,
        }
    ],
    "cost": {"usdPerHour": "1.80", "basis": "PerUse"},
    "credentialsRef": {"name": "vllm-key", "key": "api-key"},
    "tls": {"caRef": {"name": "ca", "key": "ca.crt"}, "serverName": "vllm.example"},
    "location": "Local",
    "maxConcurrency": 64,
    "timeouts": {"connectSeconds": 1, "firstByteSeconds": 2, "idleSeconds": 3, "totalSeconds": 4},
    "usage": "AsAsked",
    "probe": {"intervalSeconds": 5, "timeoutSeconds": 1, "unhealthyAfter": 2},
    "metrics": {
        "engine": {"path": "/stats", "intervalSeconds": 5},
        "gpu": {"source": "Dcgm", "url": "http://dcgm.gpu-operator.svc:9400/metrics"},
    },
    "profiling": {"mode": "Manual", "maxProfiles": 0, "template": _OPTIONS, "retainHours": 0},
}

_OLLAMA_BACKEND = {
    "engine": "Ollama",
    "url": "http://h:11434",
    "memory": {
        "budgetMiB": 22000,
        "pinned": ["llama3:8b"],
        "preload": ["qwen3:4b"],
        "evict": "Never",
        "keepAliveSeconds": 300,
    },
}

_POLICY = {
    "models": [{"name": "auto", "goal": "Best"}],
    "priority": -1,
    "match": {"headers": {"x-team": "research"}, "minPromptTokens": 100},
    "candidates": [
        {
            "selector": {"matchLabels": {"tier": "gpu"}},
            "models": ["*llama*"],
            "when": {"categories": ["Coding"]},
            "weightPercent": 100,
        }
    ],
    "require": {
        "location": "Local",
        "minQualityPercent": 40,
        "maxUsdPerMillionTokens": "5",
        "capabilities": ["tools"],
    },
    "order": "Weighted",
    "goal": "Balanced",
    "tolerancePercent": 0,
    "weights": {"quality": 100, "price": 0, "latency": 0},
    "maxWaitSeconds": 0,
    "switchPercent": 0,
    "balance": {"type": "Affinity", "key": "Session"},
    "failover": {"maxAttempts": 1},
    "signature": "\nModel: {model}",
    "sseCommentSeconds": 15,
}

FULL_SPECS: list[tuple[str, Json]] = [
    ("LLMBackend", _SERVICE_BACKEND),
    ("LLMBackend", URL_BACKEND),
    ("LLMBackend", _OLLAMA_BACKEND),
    (
        "ModelProfile",
        {"backendRef": {"name": "vllm"}, "model": "llama", "suspend": True, "priors": [_PRIOR], **_OPTIONS},
    ),
    ("RoutingPolicy", _POLICY),
]
"""Specs by kind; together they hold every field, none with its default."""


def condition(claim: str, message: str = "") -> Json:
    """A condition that holds."""
    return {
        "type": claim,
        "status": "True",
        "reason": "AsItShould",
        "message": message or f"{claim} holds.",
        "observedGeneration": 1,
        "lastTransitionTime": _TIME,
    }


FULL_STATUS: dict[str, Json] = {
    "LLMBackend": {
        "observedGeneration": 1,
        "conditions": [condition("Accepted"), condition("Ready", "All 2 endpoints answer.")],
        "location": "Local",
        "engineVersion": "0.32.0",
        "summary": {"models": 1, "endpoints": "2/2", "gpuMemory": "17/22Gi"},
        "models": [{"name": "llama", "digest": _DIGEST, "contextTokens": 131072, "endpoints": 2}],
        "gpus": [
            {
                "uuid": "GPU-1",
                "name": "NVIDIA L4",
                "memoryTotalMiB": 23034,
                "memoryUsedMiB": 17408,
                "utilizationPercent": 40,
                "temperatureCelsius": 60,
                "powerWatts": 60,
                "source": "Dcgm",
            }
        ],
        "gpuExporters": [
            {"endpoint": "10.244.0.7:8000", "url": "http://10.244.0.9:9400/metrics", "uuids": ["GPU-1"]}
        ],
    },
    "ModelProfile": {
        "observedGeneration": 1,
        "conditions": [condition("Succeeded"), condition("Fresh"), condition("Ready", "It was measured.")],
        "goneSince": _TIME,
        "fingerprint": {
            "suite": "Quick/2",
            "seed": 1,
            "modelDigest": _DIGEST,
            "engineVersion": "0.32.0",
            "gpu": "2x NVIDIA L4",
            "endpoint": "10.244.0.7:8000",
            "time": _TIME,
        },
        "quality": {
            "overall": {**_INTERVAL, "samples": 100},
            "categories": [
                {
                    "name": "Math",
                    **_INTERVAL,
                    "levels": [
                        {"level": "Easy", "passed": 38, "samples": 40},
                        {"level": "Hard", "passed": 8, "samples": 20},
                    ],
                    "outputTokensMean": 143,
                    "chancePercent": 25,
                    "bitmap": "qqqqqqo=",
                }
            ],
        },
        "performance": {
            "ttftMs": {"p50": 41, "p95": 66},
            "outputTokensPerSecond": 72,
            "promptTokensPerSecond": 5400,
            "cachedTtftMs": 12,
            "interTokenUs": {"p50": 13900, "p95": 15100},
            "coldLoadMs": 8200,
            "saturation": [{"concurrency": 16, "outputTokensPerSecond": 640, "ttftMsP95": 310}],
        },
        "resources": {"memoryMiB": 16021, "powerWatts": 64, "joulesPerThousandTokens": 900},
        "price": _PRICE,
        "capabilities": _CAPABILITIES,
        "contextTokensVerified": 16384,
        "embeddingDimension": 384,
        "run": {
            "startTime": _TIME,
            "completionTime": _TIME,
            "tokensUsed": 81234,
            "jobName": "mprof-0a1b",
            "reason": "Drifted",
            "cause": "0a1b",
            "asked": "now",
            "attempts": 1,
            "message": "It took 41 s.",
        },
        "history": [
            "2026-11-21T10:00:00Z Quick/1 63% 72 tok/s Measured",
            "2026-11-20T10:00:00Z Quick/1 Timeout",
        ],
    },
    "RoutingPolicy": {
        "observedGeneration": 1,
        "conditions": [
            condition("Accepted"),
            condition("Precise"),
            condition("Ready", "All candidates can be chosen."),
        ],
        "summary": {"models": "auto,auto-best", "candidates": "3/5"},
        "candidates": [{"model": "llama", "backend": "vllm", "eligible": True, "reason": "None."}],
    },
}
"""A status with every field, by kind."""


def resource(kind: str, spec: Json, status: Json = None) -> Json:
    """An object with a name of its own kind's, free to be changed."""
    made = {
        "apiVersion": f"{crd.GROUP}/{crd.VERSION}",
        "kind": kind,
        "metadata": {"name": "sample"},
        "spec": spec,
    }
    return copy.deepcopy(made if status is None else {**made, "status": status})
