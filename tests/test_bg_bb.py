"""BG/BB: against its paper, then against slow twins, then what holds for any customer."""

from __future__ import annotations

import math
from dataclasses import astuple
from itertools import product
from pathlib import Path

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit.errors import FitError, InvalidArgumentError
from crmkit.models import BGBB, Floats, MaximumLikelihood
from crmkit.models.purchases.likelihoods.bg_bb_likelihood import BGBBLikelihood
from tests.published import all_printed, printed
from tests.strategies import History, bg_bb_models, opportunity_histories

REFERENCE = Path(__file__).parent / "reference"

BTYD = BGBB(alpha=1.203528, beta=0.749726, gamma=0.6567808, delta=2.783796)
"""As printed in the walkthrough of the R package BTYD."""

PATTERNS = [
    *((x, 6) for x in range(6, 0, -1)),
    *((x, 5) for x in range(5, 0, -1)),
    *((x, 4) for x in range(4, 0, -1)),
    *((x, 3) for x in range(3, 0, -1)),
    *((x, 2) for x in range(2, 0, -1)),
    (1, 1),
    (0, 0),
]
"""x and t_x of the 22 kinds of donor, in the order of the paper's tables."""


@pytest.fixture(scope="module")
def donations() -> tuple[Floats, Floats, Floats, Floats]:
    """The 11,104 donors of the paper: x, t_x, n and how many have such a history."""
    table = np.loadtxt(REFERENCE / "donations.csv", delimiter=",", skiprows=1)
    x, t_x, n, donors = table.T
    return x, t_x, n, donors


@pytest.fixture(scope="module")
def found(donations: tuple[Floats, Floats, Floats, Floats]) -> MaximumLikelihood[BGBB]:
    """The fit to them: the unrounded parameters of Hardie's spreadsheet."""
    x, t_x, n, donors = donations
    return BGBB.fit(x, t_x, n, weights=donors)


def patterns() -> History:
    x, t_x = np.array(PATTERNS, dtype=np.float64).T
    return x, t_x, np.full(22, 6.0)


def one(x: float, t_x: float, n: float) -> History:
    return np.array([float(x)]), np.array([float(t_x)]), np.array([float(n)])


# Published


def test_fit_finds_the_published_parameters(found: MaximumLikelihood[BGBB]) -> None:
    # Fader, Hardie & Shang (2010), Table 3.
    expected = ("1.204", "0.750", "0.657", "2.783")
    values = astuple(found.model)
    assert tuple(printed(v, like=e) for v, e in zip(values, expected, strict=True)) == expected
    assert found.n_customers == 11104
    assert found.converged
    assert found.diagnostics == ()


def test_fit_agrees_with_the_peers(
    donations: tuple[Floats, Floats, Floats, Floats], found: MaximumLikelihood[BGBB]
) -> None:
    # BTYD walkthrough, section 4.2, and lifetimes' TestBetaGeoBetaBinomFitter; their searches
    # stop a little short of the maximum.
    x, t_x, n, donors = donations
    np.testing.assert_allclose(astuple(found.model), astuple(BTYD), rtol=1.5e-4)
    for total in (found.log_likelihood, float(donors @ BTYD.log_likelihood(x, t_x, n))):
        assert printed(total, like="-33225.58") == "-33225.58"


def test_log_likelihood_of_single_histories(found: MaximumLikelihood[BGBB]) -> None:
    # brucehardie.com/notes/010, in pymc-marketing's test_logp_matches_excel, which rounds the
    # parameters. The spreadsheet's search, and ours, leave the sixth digit open.
    expected = [
        *(-2.18167018824, -4.29485034929, -5.3847333436, -5.80915881601, -5.65172964525),
        *(-4.88370164695, -3.71682127437, -5.09558227343, -5.61576884108, -5.50636893346),
        *(-4.76723821904, -3.84829625138, -5.05936147828, -5.19562191019, -4.57070931973),
        *(-3.52745257839, -4.51620272962, -4.22465969453, -3.01199924784, -3.58817880928),
        *(-2.28882847451, -1.16751622367),
    ]
    np.testing.assert_allclose(found.model.log_likelihood(*patterns()), expected, rtol=2e-6)


def test_expected_donations_by_history() -> None:
    # Fader, Hardie & Shang (2010), as in customer-analytics, bg-bb.html: 2002 to 2006.
    found = BTYD.expected_purchases(*patterns(), opportunities=5)
    expected = (
        "3.75 3.23 2.71 2.19 1.67 1.15 1.81 2.03 1.80 1.44 1.02 0.58 1.03 1.06 0.84 0.22 0.54 "
        "0.59 0.12 0.31 0.09 0.07"
    )
    assert all_printed(found, like=expected) == expected


def test_probability_alive_by_history() -> None:
    # Fader, Hardie & Shang (2010), as in customer-analytics, bg-bb.html, and for (0, 0), (2, 4),
    # (6, 6) in lifetimes' test_prob_alive_is_close_to_Hardie_paper_table_6: alive in 2002.
    found = BTYD.probability_alive_later(*patterns(), opportunities=1)
    expected = (
        "0.93 0.93 0.93 0.93 0.93 0.93 0.52 0.70 0.77 0.80 0.83 0.20 0.44 0.59 0.68 0.10 0.30 "
        "0.48 0.07 0.25 0.07 0.11"
    )
    assert all_printed(found, like=expected) == expected


def test_mean_buying_probability_by_history() -> None:
    # Fader, Hardie & Shang (2010), as in customer-analytics, bg-bb.html.
    found = BTYD.expected_buying_probability(*patterns())
    expected = (
        "0.91 0.78 0.65 0.53 0.40 0.28 0.83 0.68 0.54 0.41 0.28 0.82 0.61 0.44 0.30 0.80 0.54 "
        "0.34 0.75 0.44 0.66 0.49"
    )
    assert all_printed(found, like=expected) == expected


def test_two_donors_of_the_btyd_walkthrough() -> None:
    # BTYD walkthrough, section 4: ten years ahead.
    (none,) = BTYD.expected_purchases(*one(0, 0, 6), opportunities=10)
    (often,) = BTYD.expected_purchases(*one(4, 5, 6), opportunities=10)
    assert printed(none, like="0.1302169") == "0.1302169"
    assert printed(often, like="3.627858") == "3.627858"


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (0, [0.07286318, 0.3248841, 0.7089417, 1.333666, 2.031203, 2.784482, 3.7525]),
        (1, [0.07286318, 0.0856939, 0.1798423, 0.4041111, 0.8510811, 1.726323, 3.02719]),
    ],
    ids=["by frequency", "by recency"],
)
def test_mean_expected_donations(
    donations: tuple[Floats, Floats, Floats, Floats], column: int, expected: list[float]
) -> None:
    # BTYD walkthrough, section 4: 2002 to 2006, by x and by t_x of 0 to 6.
    x, t_x, n, donors = donations
    ahead = BTYD.expected_purchases(x, t_x, n, opportunities=5)
    group = donations[column].astype(int)
    mean = np.bincount(group, donors * ahead) / np.bincount(group, donors)
    np.testing.assert_allclose(mean, expected, rtol=1e-6)


def test_expected_donations_of_all(
    donations: tuple[Floats, Floats, Floats, Floats], found: MaximumLikelihood[BGBB]
) -> None:
    # lifetimes, test_conditional_expectation_returns_same_value_as_Hardie_excel_sheet.
    x, t_x, n, donors = donations
    total = float(donors @ found.model.expected_purchases(x, t_x, n, opportunities=5))
    assert printed(total, like="12884.2") == "12884.2"


def test_donors_by_number_of_donations(found: MaximumLikelihood[BGBB]) -> None:
    # lifetimes, test_expected_purchases_in_n_periods_returns_same_value_as_Hardie_excel_sheet: no
    # donation after the first, and six.
    chances = found.model.purchase_distribution(*one(0, 0, 0), opportunities=6, most=6)
    none, all_six = (11104 * chances[0, [0, 6]]).tolist()
    assert printed(none, like="3454.9") == "3454.9"
    assert printed(all_six, like="1253.1") == "1253.1"


def test_expected_donations_of_a_new_donor(found: MaximumLikelihood[BGBB]) -> None:
    # pymc-marketing, test_expected_purchases_new_customer: in 1 to 11 years.
    ahead = found.model.expected_purchases_new(np.arange(1.0, 12))
    expected = "0.4985 0.9233 1.2969 1.6323 1.9381 2.2202 2.4826 2.7285 2.9603 3.1798 3.3887"
    assert all_printed(ahead, like=expected) == expected


def test_expected_donations_of_a_new_donor_in_ten_years() -> None:
    # BTYD walkthrough, section 4, whose parameters have more digits than it prints.
    (ahead,) = BTYD.expected_purchases_new(np.array([10.0]))
    assert ahead == pytest.approx(3.179805, abs=1e-6)


# Twins


def slow_parts(model: BGBB, x: int, t_x: int, n: int) -> tuple[mpmath.mpf, mpmath.mpf]:
    """Probability of the history and of being there at its end, and of having left before."""
    alpha, beta, gamma, delta = map(mpmath.mpf, astuple(model))
    buying = mpmath.beta(alpha + x, beta + n - x) / mpmath.beta(alpha, beta)
    staying = mpmath.beta(gamma, delta + n) / mpmath.beta(gamma, delta)
    bought = mpmath.beta(alpha + x, beta + t_x - x) / mpmath.beta(alpha, beta)
    there = mpmath.beta(gamma + 1, delta + t_x) / mpmath.beta(gamma, delta)
    left = mpmath.mpf(0)
    for j in range(t_x, n):
        left += bought * there
        bought *= (beta + j - x) / (alpha + beta + j)
        there *= (delta + j) / (gamma + delta + j + 1)
    return buying * staying, left


EXTREME = [
    BTYD,
    BGBB(1e-3, 1e4, 1.0, 1e-3),
    BGBB(1e4, 1e-3, 0.5, 1e4),
    BGBB(1.0, 1.0, 1.0, 1.0),
    BGBB(50.0, 1e3, 1e4, 1e4),
    BGBB(1e-3, 1e-3, 1e-3, 1e-3),
    BGBB(0.3, 7.0, 1e4, 1e-3),
    BGBB(1e4, 1e4, 1.0, 20.0),
]
AWKWARD = [
    *((x, t_x, n) for n in (6, 52) for x in (0, 1, 6) for t_x in (6, n)),
    *((x, t_x, 365) for x, t_x in ((0, 0), (1, 1), (50, 50), (50, 200), (200, 365), (365, 365))),
    *((x, t_x, 4000) for x, t_x in ((50, 400), (3000, 3001), (3000, 4000))),
]
AWKWARD = [(x, t_x if x else 0, n) for x, t_x, n in AWKWARD]


@pytest.mark.slow
@pytest.mark.usefixtures("sixty_digits")
@pytest.mark.parametrize("model", EXTREME, ids=str)
def test_log_likelihood_is_exact(model: BGBB) -> None:
    # lifetimes and btyd add 1e-15 to each beta function: wrong by 0.26 at n = 52, 94 at 365.
    for x, t_x, n in AWKWARD:
        stayed, left = slow_parts(model, x, t_x, n)
        (found,) = model.log_likelihood(*one(x, t_x, n))
        expected = float(mpmath.log(stayed + left))
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)
        (p,) = model.probability_alive(*one(x, t_x, n))
        assert p == pytest.approx(float(stayed / (stayed + left)), rel=1e-9, abs=1e-300)


@pytest.mark.slow
@pytest.mark.usefixtures("sixty_digits")
@pytest.mark.parametrize("model", EXTREME, ids=str)
def test_expected_purchases_are_exact(model: BGBB) -> None:
    alpha, beta, gamma, delta = map(mpmath.mpf, astuple(model))
    for (x, t_x, n), ahead in product(AWKWARD[::2], [1, 40]):
        stayed, left = slow_parts(model, x, t_x, n)
        there = [
            mpmath.beta(gamma, delta + n + k) / mpmath.beta(gamma, delta + n)
            for k in range(1, ahead + 1)
        ]
        expected = stayed / (stayed + left) * (alpha + x) / (alpha + beta + n) * sum(there)
        (found,) = model.expected_purchases(*one(x, t_x, n), opportunities=ahead)
        assert found == pytest.approx(float(expected), rel=1e-9, abs=1e-300)


@pytest.mark.usefixtures("sixty_digits")
@pytest.mark.parametrize("model", EXTREME, ids=str)
def test_purchases_for_ever_are_the_closed_form(model: BGBB) -> None:
    # Fader, Hardie & Shang (2010), DERT.
    alpha, beta, gamma, delta = map(mpmath.mpf, astuple(model))
    for (x, t_x, n), rate in product([(0, 0, 6), (2, 4, 6), (50, 52, 52)], [1e-4, 0.1]):
        stayed, left = slow_parts(model, x, t_x, n)
        d = mpmath.mpf(rate)
        gauss = mpmath.hyp2f1(1, delta + n + 1, gamma + delta + n + 1, 1 / (1 + d))
        there = (delta + n) / (gamma + delta + n) / (1 + d) * gauss
        expected = stayed / (stayed + left) * (alpha + x) / (alpha + beta + n) * there
        (found,) = model.discounted_purchases(
            *one(x, t_x, n), opportunities=math.inf, discount_rate_per_opportunity=rate
        )
        assert found == pytest.approx(float(expected), rel=1e-9)


def test_the_likelihood_has_the_right_slope_and_bend(
    donations: tuple[Floats, Floats, Floats, Floats],
) -> None:
    x, t_x, n, donors = donations
    likelihood = BGBBLikelihood(
        np.append(x, [2, 40, 2]),
        np.append(t_x, [9, 52, 9]),
        np.append(n, [52, 60, 9]),
        np.append(donors, [10, 20, 30]),
    )
    for model in (BTYD, BGBB(0.03, 4.0, 20.0, 0.2), BGBB(30.0, 8.0, 0.1, 7.0)):
        here, step = np.log(astuple(model)), 1e-5
        _, gradient, hessian = likelihood(here)
        scale = np.abs(hessian).max()
        for i, way in enumerate(np.eye(4) * step):
            up, down = likelihood(here + way), likelihood(here - way)
            slope, bend = (up[0] - down[0]) / (2 * step), (up[1] - down[1]) / (2 * step)
            assert slope == pytest.approx(gradient[i], abs=1e-8 * scale)
            np.testing.assert_allclose(bend, hessian[i], atol=1e-8 * scale)


def test_counts_of_purchases_are_those_of_invented_customers() -> None:
    dice = np.random.default_rng(3)
    customer, _ = BTYD.simulate(np.full(200_000, 6.0), rng=dice)
    counts = np.bincount(np.bincount(customer, minlength=200_000), minlength=7) / 200_000
    (expected,) = BTYD.purchase_distribution(*one(0, 0, 0), opportunities=6, most=6)
    np.testing.assert_allclose(counts, expected, atol=5 * math.sqrt(0.25 / 200_000))


# Properties


@given(model=bg_bb_models(), history=opportunity_histories(), silence=st.integers(0, 50))
def test_silence_never_raises_the_odds_of_being_alive(
    model: BGBB, history: History, silence: int
) -> None:
    x, t_x, n = history
    (before,), (after,) = (model.probability_alive(x, t_x, n + more) for more in (0, silence))
    assert 0 <= after <= before * (1 + 1e-10) <= 1 + 1e-10


@given(model=bg_bb_models(), history=opportunity_histories(), ahead=st.integers(0, 100))
def test_nobody_comes_back_to_life(model: BGBB, history: History, ahead: int) -> None:
    (now,) = model.probability_alive(*history)
    (later,) = model.probability_alive_later(*history, opportunities=ahead)
    assert 0 <= later <= now
    if ahead == 0:
        assert later == now


@given(model=bg_bb_models(), most=st.integers(1, 7))
def test_all_histories_together_have_probability_one(model: BGBB, most: int) -> None:
    every = [(0, 0), *((x, t_x) for t_x in range(1, most + 1) for x in range(1, t_x + 1))]
    x, t_x = np.array(every, dtype=np.float64).T
    ways = [math.comb(int(t) - 1, int(k) - 1) if k else 1 for k, t in every]
    p = np.exp(model.log_likelihood(x, t_x, np.full(len(x), float(most))))
    assert ways @ p == pytest.approx(1, rel=1e-9)


@given(model=bg_bb_models(), history=opportunity_histories(), ahead=st.integers(0, 30))
def test_counts_have_probability_one_and_the_expected_mean(
    model: BGBB, history: History, ahead: int
) -> None:
    (p,) = model.purchase_distribution(*history, opportunities=ahead, most=ahead + 2)
    (expected,) = model.expected_purchases(*history, opportunities=ahead)
    assert p.sum() == pytest.approx(1, rel=1e-9)
    assert p @ np.arange(ahead + 3) == pytest.approx(expected, rel=1e-8, abs=1e-12)
    assert (p[ahead + 1 :] == 0).all()


@given(model=bg_bb_models(), opportunities=st.integers(0, 200))
def test_a_new_customer_is_one_seen_at_no_opportunity(model: BGBB, opportunities: int) -> None:
    (new,) = model.expected_purchases_new(np.array([float(opportunities)]))
    (seen,) = model.expected_purchases(*one(0, 0, 0), opportunities=opportunities)
    assert new == pytest.approx(seen, rel=1e-12, abs=1e-300)


@given(model=bg_bb_models(), history=opportunity_histories(), ahead=st.integers(1, 60))
def test_undiscounted_purchases_are_the_expected_ones(
    model: BGBB, history: History, ahead: int
) -> None:
    expected = model.expected_purchases(*history, opportunities=ahead)
    for rate, share in ((0.0, 1.0), (0.1, 1 / 1.1)):
        found = model.discounted_purchases(
            *history, opportunities=ahead, discount_rate_per_opportunity=rate
        )
        assert (found <= expected * share * (1 + 1e-12)).all()
        if rate == 0:
            np.testing.assert_allclose(found, expected, rtol=1e-12)


@given(model=bg_bb_models(), history=opportunity_histories(max_size=20))
def test_one_customer_alone_is_predicted_as_among_others(model: BGBB, history: History) -> None:
    together = model.expected_purchases(*history, opportunities=12)
    alone = [
        model.expected_purchases(*one(*row), opportunities=12)[0]
        for row in zip(*history, strict=True)
    ]
    np.testing.assert_allclose(together, alone, rtol=1e-12)


@given(model=bg_bb_models(), history=opportunity_histories())
def test_a_purchase_probability_is_a_probability(model: BGBB, history: History) -> None:
    (p,) = model.expected_buying_probability(*history)
    assert 0 < p <= 1 + 1e-12


def test_a_weighted_fit_is_a_fit_on_repeated_rows(
    donations: tuple[Floats, Floats, Floats, Floats],
) -> None:
    *history, donors = donations
    repeated = BGBB.fit(*(np.repeat(column, donors.astype(int))[::-1] for column in history))
    weighted = BGBB.fit(*history, weights=donors)
    # Each search ends within 1e-9 of the top, and the top is flat.
    np.testing.assert_allclose(astuple(weighted.model), astuple(repeated.model), rtol=2e-6)
    assert weighted.log_likelihood == pytest.approx(repeated.log_likelihood, rel=1e-12)
    assert weighted.n_customers == repeated.n_customers


def simulated(model: BGBB, n: Floats, *, seed: int) -> History:
    customer, opportunity = model.simulate(n, rng=np.random.default_rng(seed))
    x = np.bincount(customer, minlength=len(n)).astype(np.float64)
    t_x = np.zeros(len(n))
    t_x[customer] = opportunity  # the last one stays
    return x, t_x, n


def test_a_fit_finds_what_made_the_data() -> None:
    n = np.random.default_rng(1).integers(1, 37, 100_000).astype(np.float64)
    found = BGBB.fit(*simulated(BTYD, n, seed=2))
    errors = np.array(astuple(found.model)) - astuple(BTYD)
    told = np.array([error or math.nan for error in found.standard_errors])
    assert (np.abs(errors) < 3 * told).all()
    assert (told / astuple(BTYD) < 0.05).all()


@pytest.mark.parametrize("seed", range(12))
def test_awkward_data_are_fitted_or_reported(seed: int) -> None:
    dice = np.random.default_rng(seed)
    truth = BGBB(*(10 ** dice.uniform(-1, 1.5, 4)).tolist())
    history = simulated(truth, np.full(200, 24.0), seed=seed)
    found = BGBB.fit(*history)
    assert found.converged or found.diagnostics
    assert found.log_likelihood >= truth.log_likelihood(*history).sum() - 1e-6


# Shape


def test_invented_purchases_come_in_order() -> None:
    n = np.array([0.0, 5.0, 12.0, 12.0])
    customer, opportunity = BGBB(20.0, 1.0, 0.1, 9.0).simulate(n, rng=np.random.default_rng(0))
    order = customer * 100 + opportunity
    assert (np.diff(order) > 0).all()
    assert ((opportunity >= 1) & (opportunity <= n[customer])).all()
    assert set(customer.tolist()) == {1, 2, 3}


def test_no_customers_give_no_predictions() -> None:
    none: Floats = np.zeros(0)
    assert BTYD.log_likelihood(none, none, none).shape == (0,)
    assert BTYD.probability_alive(none, none, none).shape == (0,)
    assert BTYD.expected_purchases(none, none, none, opportunities=3).shape == (0,)
    distribution = BTYD.purchase_distribution(none, none, none, opportunities=3, most=3)
    assert distribution.shape == (0, 4)


# Refusals


@pytest.mark.parametrize("name", ["alpha", "beta", "gamma", "delta"])
@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_parameters_must_be_positive_and_finite(name: str, value: float) -> None:
    model = {"alpha": 1.0, "beta": 1.0, "gamma": 1.0, "delta": 1.0, name: value}
    with pytest.raises(InvalidArgumentError) as caught:
        BGBB(**model)
    shown = ", ".join(f"{key}={number}" for key, number in model.items())
    assert str(caught.value) == f"BG/BB parameters must be positive and finite, got BGBB({shown})."


def test_without_a_repeat_purchase_nothing_can_be_told() -> None:
    with pytest.raises(FitError) as caught:
        BGBB.fit(np.zeros(200), np.zeros(200), np.full(200, 12.0))
    assert str(caught.value) == (
        "opportunities: no repeat purchase in 200 of 200 customers.\n"
        "Observe them for longer before you fit."
    )


@pytest.mark.parametrize(
    "history", [(3, 2, 6), (2, 7, 6), (0, 2, 6), (1.5, 2, 6), (-1, 0, 6), (1, math.nan, 6)]
)
def test_histories_that_cannot_be_are_refused(history: tuple[float, float, float]) -> None:
    x, t_x, n = np.array([(2.0, 4.0, 6.0), history]).T
    with pytest.raises(InvalidArgumentError) as caught:
        BGBB.fit(x, t_x, n)
    assert str(caught.value) == (
        "opportunities: impossible history in 1 of 2 customers (row 1).\n"
        "Give whole numbers with 0 <= x <= t_x <= n, and t_x of 0 where x is 0."
    )


def test_purchases_without_end_are_refused() -> None:
    with pytest.raises(
        InvalidArgumentError, match=r"^Without discounting, the mean lifetime is infinite"
    ):
        BTYD.discounted_purchases(
            *one(2, 4, 6), opportunities=math.inf, discount_rate_per_opportunity=0.0
        )
