"""The testers of lesson 07: each wrong solution with its own hint, and other right ones."""

from __future__ import annotations

import itertools
import random
import statistics
import time
import timeit
from statistics import median
from time import perf_counter

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from solutions import cases, check_enough, check_refused, exercise
from torch import nn
from torch.utils.data import DistributedSampler
from torch.utils.flop_counter import FlopCounterMode

from colorlab.course.checks import exercises, lesson07, try_solution

# --- 7.1 -----------------------------------------------------------------------------------------


def timed(work, repeats, clock=perf_counter):
    times = []
    for _ in range(repeats):
        before = clock()
        work()
        times.append(clock() - before)
    return times


def stopwatch(work, repeats=7):
    work()
    return median(timed(work, repeats))


def with_module_clock(work, repeats=7):
    work()
    times = []
    for _ in range(repeats):
        before = time.monotonic()
        work()
        times.append(time.monotonic() - before)
    return float(np.median(times))


def with_time(work, repeats=7):
    work()
    return sum(sorted(timed(work, repeats, time.time))[(repeats - 1) // 2 : repeats // 2 + 1]) / (
        1 + (repeats + 1) % 2
    )


def with_nanoseconds(work, repeats=7):
    work()
    return median(timed(work, repeats, time.perf_counter_ns)) / 1e9


def with_timeit(work, repeats=7):
    work()
    return median(timeit.repeat(work, number=1, repeat=repeats))


def with_a_timer(work, repeats=7):
    work()
    timer = timeit.Timer(work)
    return median([timer.timeit(1) for _ in range(repeats)])


def with_default_timer(work, repeats=7, clock=timeit.default_timer):
    work()
    return median(timed(work, repeats, clock))


def with_keyword(work, repeats=7, *, clock=perf_counter):
    work()
    return median(timed(work, repeats, clock))


def first_dropped(work, repeats=7):
    return median(timed(work, repeats + 1)[1:])


def with_list(work, repeats=7):
    marks = []
    for _ in range(repeats + 1):
        marks.append(perf_counter())
        work()
    marks.append(perf_counter())
    return median(b - a for a, b in itertools.pairwise(marks[1:]))


def closed_over(clock):
    def stopwatch(work, repeats=7):
        work()
        return median(timed(work, repeats, clock))

    return stopwatch


def mean_of(work, repeats=7):
    work()
    return statistics.mean(timed(work, repeats))


def loop_by_repeats(work, repeats=7):
    work()
    before = perf_counter()
    for _ in range(repeats):
        work()
    return (perf_counter() - before) / repeats


def minimum(work, repeats=7):
    work()
    return min(timed(work, repeats))


def maximum(work, repeats=7):
    work()
    return max(timed(work, repeats))


def summed(work, repeats=7):
    work()
    return sum(timed(work, repeats))


def cold(work, repeats=7):
    return median(timed(work, repeats))


def cold_mean(work, repeats=7):
    return statistics.mean(timed(work, repeats))


def cold_minimum(work, repeats=7):
    return min(timed(work, repeats))


def warm_up_counted(work, repeats=7):
    return median(timed(work, repeats + 1))


def warm_up_in_the_mean(work, repeats=7):
    return statistics.mean(timed(work, repeats + 1))


def warm_up_in_the_sum(work, repeats=7):
    return sum(timed(work, repeats + 1))


def warm_up_divided(work, repeats=7):
    return sum(timed(work, repeats + 1)) / repeats


def one_too_few(work, repeats=7):
    work()
    return median(timed(work, repeats - 1))


def one_too_many(work, repeats=7):
    work()
    return median(timed(work, repeats + 1))


def two_warm_ups(work, repeats=7):
    work()
    return stopwatch(work, repeats)


def last_dropped(work, repeats=7):
    return median(timed(work, repeats + 1)[:-1])


def last_only(work, repeats=7):
    work()
    return timed(work, repeats)[-1]


def first_only(work, repeats=7):
    work()
    return timed(work, repeats)[0]


def once(work, repeats=7):
    return timed(work, 1)[0]


def once_warm(work, repeats=7):
    work()
    return timed(work, 1)[0]


def milliseconds(work, repeats=7):
    return 1000 * stopwatch(work, repeats)


def nanoseconds(work, repeats=7):
    work()
    return median(timed(work, repeats, time.perf_counter_ns))


def below_zero(work, repeats=7):
    return -stopwatch(work, repeats)


def not_sorted(work, repeats=7):
    work()
    return timed(work, repeats)[repeats // 2]


def upper_median(work, repeats=7):
    work()
    return sorted(timed(work, repeats))[repeats // 2]


def torch_median(work, repeats=7):
    work()
    return torch.tensor(timed(work, repeats)).median().item()


def one_start(work, repeats=7):
    work()
    before, times = perf_counter(), []
    for _ in range(repeats):
        work()
        times.append(perf_counter() - before)
    return median(times)


def one_cold_start(work, repeats=7):
    before, times = perf_counter(), []
    work()
    for _ in range(repeats):
        work()
        times.append(perf_counter() - before)
    return median(times)


def always_seven(work, repeats=7):
    return stopwatch(work)


def cpu_clock(work, repeats=7):
    work()
    return median(timed(work, repeats, time.process_time))


def no_clock(work, repeats=7):
    for _ in range(repeats + 1):
        work()
    return 5.0


def not_called(work, repeats=7):
    return median(timed(lambda: work, repeats))


def not_between(work, repeats=7):
    work()
    times = []
    for _ in range(repeats):
        before = perf_counter()
        times.append(perf_counter() - before)
        work()
    return median(times)


def twice_each(work, repeats=7):
    work()
    return median(timed(lambda: (work(), work()), repeats))


def a_list(work, repeats=7):
    work()
    return timed(work, repeats)


def sorted_then_dropped(work, repeats=7):
    return median(sorted(timed(work, repeats + 1))[1:])


def sorted_then_the_middle(work, repeats=7):
    times = timed(work, repeats + 1)
    return sorted(times)[1:][len(times) // 2]


def slowest_dropped(work, repeats=7):
    return median(sorted(timed(work, repeats + 1))[:-1])


def rounded(work, repeats=7):
    return round(stopwatch(work, repeats))


def cut_to_seconds(work, repeats=7):
    return int(stopwatch(work, repeats))


def quartile(work, repeats=7):
    work()
    return float(np.quantile(timed(work, repeats), 0.75))


# --- 7.2 -----------------------------------------------------------------------------------------


def conv_cost(batch, c_in, c_out, kernel, h_out, w_out):
    return 2 * batch * c_out * h_out * w_out * c_in * kernel**2


def counted(batch, c_in, c_out, kernel, h_out, w_out):
    with FlopCounterMode(display=False) as counter, torch.device("meta"):
        photo = torch.empty(batch, c_in, h_out + kernel - 1, w_out + kernel - 1)
        nn.functional.conv2d(photo, torch.empty(c_out, c_in, kernel, kernel))
    return counter.get_total_flops()


def costs(change):
    """The cost, changed: from the cost, the number of outputs, and the arguments."""

    def wrong(*arguments):
        b, _, o, _, h, w = arguments
        return change(conv_cost(*arguments), b * o * h * w, *arguments)

    wrong.__name__ = f"cost_{next(numbers)}"
    return wrong


numbers = itertools.count()

# --- 7.3 -----------------------------------------------------------------------------------------


def half(**how):
    """A solution with other ways or mistakes: see the options below."""

    def step(G, D, for_G, for_D, L, truth, weight, scaler):
        return half_step(G, D, for_G, for_D, L, truth, weight, scaler, **how)

    step.__name__ = f"half_{'_'.join(how)}"
    return step


def half_step(
    G, D, for_G, for_D, L, truth, weight, scaler, *, kinds=(torch.float16,) * 3, to_float=True,
    under=False, leak=False, cut=False, clear="GD", order="DG", scale="DG", steps="DG", update=1,
    early=False, updates_after="", scaled_out=False, weighted=False, halved=True, saturating=False,
    cast_weights=False, use_weight=True, scaler_of_its_own=False, one_batch=False,
    clear_after=False,
):  # fmt: skip
    scaler = torch.amp.GradScaler("cpu", init_scale=1024) if scaler_of_its_own else scaler
    if cast_weights:
        G.half(), D.half()

    def forward(network, pictures, kind):
        with torch.autocast("cpu", kind or torch.float16, enabled=kind is not None):
            out = network(pictures)
        return out.float() if to_float else out

    def descend(who, optimizer, loss):
        if who in clear:
            optimizer.zero_grad()
        with torch.autocast("cpu", torch.float16, enabled=under):
            (scaler.scale(loss) if who in scale else loss).backward(retain_graph=leak)
        if early:
            scaler.update()
        scaler.step(optimizer) if who in steps else optimizer.step()
        if who in updates_after:
            scaler.update()

    if leak and "G" in clear:
        for_G.zero_grad()
    ours = forward(G, L, kinds[0]).float()
    pair = [torch.cat([L, truth], 1), torch.cat([L, ours if leak else ours.detach()], 1)]
    if one_batch:
        real, fake = forward(D, torch.cat(pair), kinds[1]).chunk(2)
    else:
        real, fake = (forward(D, one, kinds[1]) for one in pair)
    loss_d = F.softplus(-real).mean() + F.softplus(fake).mean()
    loss_d = loss_d / 2 if halved else loss_d
    if order == "DG":
        descend("D", for_D, loss_d)
    logits = forward(D, torch.cat([L, ours.detach() if cut else ours], 1), kinds[2])
    adversarial = (-F.softplus(logits) if saturating else F.softplus(-logits)).mean()
    color = (ours - truth).abs().mean()
    if leak:  # the gradient of D's loss is still in G
        clear = clear.replace("G", "")
    descend("G", for_G, (weight if use_weight else 1) * color + adversarial)
    for _ in range(update):
        scaler.update()
    if clear_after:
        for_G.zero_grad(), for_D.zero_grad()
    found = {"color": color * (weight if weighted else 1), "generator": adversarial}
    found["discriminator"] = loss_d
    return {n: x.item() * (scaler.get_scale() if scaled_out else 1) for n, x in found.items()}


def with_bce(G, D, for_G, for_D, L, truth, weight, scaler):
    def descend(optimizer, loss):
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)

    with torch.autocast("cpu", dtype=torch.float16):
        ours = G(L).float()
    with torch.autocast("cpu", dtype=torch.float16):
        real, fake = D(torch.cat([L, truth], 1)), D(torch.cat([L, ours.detach()], 1))
    ones, zeros = torch.ones_like(real).float(), torch.zeros_like(real).float()
    bce = F.binary_cross_entropy_with_logits
    loss_d = (bce(real.float(), ones) + bce(fake.float(), zeros)) / 2
    descend(for_D, loss_d)
    D.requires_grad_(False)
    with torch.autocast("cpu", dtype=torch.float16):
        logits = D(torch.cat([L, ours], 1)).float()
    color, adversarial = F.l1_loss(ours, truth), bce(logits, ones)
    descend(for_G, weight * color + adversarial)
    scaler.update()
    D.requires_grad_(True)
    return {"color": color.item(), "generator": adversarial.item(), "discriminator": loss_d.item()}


def no_dict(*arguments):
    return half_step(*arguments)["color"]


# --- 7.4 -----------------------------------------------------------------------------------------


def accumulate(network, loss_of, optimizer, parts):
    optimizer.zero_grad()
    total = 0.0
    for part in parts:
        loss = loss_of(network, part) / len(parts)
        loss.backward()
        total += loss.item()
    optimizer.step()
    return total


def by_summed_loss(network, loss_of, optimizer, parts):
    loss = torch.stack([loss_of(network, part) for part in parts]).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def summed_in_the_loop(network, loss_of, optimizer, parts):
    optimizer.zero_grad()
    total = 0.0
    for part in parts:
        total += loss_of(network, part) / len(parts)
    total.backward()
    optimizer.step()
    return total.item()


def all_losses_first(network, loss_of, optimizer, parts):
    optimizer.zero_grad()
    losses = [loss_of(network, part) / len(parts) for part in parts]
    for loss in losses:
        loss.backward()
    optimizer.step()
    return sum(losses).item()


def by_divided_gradients(network, loss_of, optimizer, parts):
    network.zero_grad()
    losses = []
    for part in parts:
        losses.append(loss_of(network, part))
        losses[-1].backward()
    for parameter in network.parameters():
        parameter.grad /= len(parts)
    optimizer.step()
    optimizer.zero_grad()
    return sum(losses).detach() / len(parts)


def by_gradient_argument(network, loss_of, optimizer, parts):
    optimizer.zero_grad(set_to_none=False)
    total = torch.zeros(())
    for part in parts:
        loss = loss_of(network, part)
        loss.backward(torch.tensor(1 / len(parts)))
        total = total + loss.detach()
    optimizer.step()
    return total / len(parts)


def parted(
    *, zero="first", step="last", share=lambda parts: len(parts), result="mean", chosen=slice(None)
):
    """A solution with a choice of mistakes."""

    def wrong(network, loss_of, optimizer, parts):
        losses = []
        if zero == "first":
            optimizer.zero_grad()
        for part in parts[chosen]:
            if zero == "each":
                optimizer.zero_grad()
            if zero == "each, quietly":
                network.zero_grad()
            loss = loss_of(network, part)
            (loss / share(parts)).backward()
            losses.append(loss.item())
            if step == "each":
                optimizer.step()
        if zero == "before the step":
            optimizer.zero_grad()
        if step == "last":
            optimizer.step()
        if zero == "last":
            optimizer.zero_grad()
        return {
            "mean": sum(losses) / len(losses),
            "sum": sum(losses),
            "last": losses[-1],
            "first": losses[0],
            "last share": losses[-1] / len(losses),
            "divided twice": sum(losses) / len(losses) ** 2,
            "nonsense": 7.0,
        }[result]

    wrong.__name__ = f"parted_{next(numbers)}"
    return wrong


def remembers(network, loss_of, optimizer, parts, seen={}):  # noqa: B006 - the mistake itself
    seen[network] = seen.get(network, 0) + len(parts)
    optimizer.zero_grad()
    losses = []
    for part in parts:
        loss = loss_of(network, part)
        (loss / seen[network]).backward()
        losses.append(loss.item())
    optimizer.step()
    return sum(losses) / len(losses)


def joined(network, loss_of, optimizer, parts):
    return accumulate(network, loss_of, optimizer, [torch.cat(parts)])


def never_backward(network, loss_of, optimizer, parts):
    optimizer.step()
    return sum(loss_of(network, part).item() for part in parts) / len(parts)


def growing_sum(network, loss_of, optimizer, parts):
    optimizer.zero_grad()
    total = 0.0
    for part in parts:
        total = total + loss_of(network, part) / len(parts)
        total.backward()
    optimizer.step()
    return total.item()


def growing_sum_retained(network, loss_of, optimizer, parts):
    optimizer.zero_grad()
    total = 0.0
    for part in parts:
        total = total + loss_of(network, part) / len(parts)
        total.backward(retain_graph=True)
    optimizer.step()
    return total.item()


def loss_afterwards(network, loss_of, optimizer, parts):
    accumulate(network, loss_of, optimizer, parts)
    return sum(loss_of(network, part).item() for part in parts) / len(parts)


def two_passes(network, loss_of, optimizer, parts):
    total = sum(loss_of(network, part).item() for part in parts) / len(parts)
    accumulate(network, loss_of, optimizer, parts)
    return total


def on_its_graph(network, loss_of, optimizer, parts):
    optimizer.zero_grad()
    total = 0.0
    for part in parts:
        loss = loss_of(network, part) / len(parts)
        loss.backward()
        total = total + loss
    optimizer.step()
    return total


def early_step(network, loss_of, optimizer, parts):
    optimizer.zero_grad()
    losses = []
    for i, part in enumerate(parts):
        loss = loss_of(network, part) / len(parts)
        if i == len(parts) - 1:
            optimizer.step()
        loss.backward()
        losses.append(loss.item())
    return sum(losses)


def popped(network, loss_of, optimizer, parts):
    optimizer.zero_grad()
    total, count = 0.0, len(parts)
    while parts:
        loss = loss_of(network, parts.pop()) / count
        loss.backward()
        total += loss.item()
    optimizer.step()
    return total


def evaluated(network, *arguments):
    return accumulate(network.eval(), *arguments)


def detached(network, loss_of, optimizer, parts):
    optimizer.zero_grad()
    total = sum(loss_of(network, part).detach() for part in parts) / len(parts)
    total.backward()
    optimizer.step()
    return total.item()


def own_loss(network, loss_of, optimizer, parts):
    optimizer.zero_grad()
    network(torch.cat(parts)).mean().backward()
    optimizer.step()
    return 0.0


def nothing_returned(*arguments):
    accumulate(*arguments)


# --- 7.5 -----------------------------------------------------------------------------------------


def groups(replicas):
    """The same parameter of all replicas, for each that has a gradient."""
    for group in zip(*(replica.parameters() for replica in replicas), strict=True):
        if group[0].grad is not None:
            yield group


def average_gradients(replicas):
    for group in groups(replicas):
        mean = torch.stack([parameter.grad for parameter in group]).mean(dim=0)
        for parameter in group:
            parameter.grad = mean.clone()


def in_place(replicas):
    for group in groups(replicas):
        total = group[0].grad.clone()
        for parameter in group[1:]:
            total += parameter.grad
        for parameter in group:
            parameter.grad.copy_(total / len(replicas))
    return replicas


def into_the_first(replicas):
    first, *others = replicas
    for name, parameter in first.named_parameters():
        if parameter.grad is None:
            continue
        for other in others:
            parameter.grad += other.get_parameter(name).grad
        parameter.grad /= len(replicas)
        for other in others:
            other.get_parameter(name).grad.copy_(parameter.grad)


def averaging(make, receivers=slice(None)):
    """A solution that gives `make(gradients)` to the chosen ones."""

    def wrong(replicas):
        for group in groups(replicas):
            new = make([parameter.grad.clone() for parameter in group])
            for parameter in group[receivers]:
                parameter.grad = new.clone()

    wrong.__name__ = f"averaging_{next(numbers)}"
    return wrong


def stacked_mean(gradients):
    return torch.stack(gradients).mean(0)


def weights_averaged(replicas):
    for group in groups(replicas):
        mean = torch.stack([parameter.data for parameter in group]).mean(0)
        for parameter in group:
            parameter.data = mean.clone()


def untouched(replicas):
    [stacked_mean([parameter.grad for parameter in group]) for group in groups(replicas)]


def another_name(replicas):
    for group in groups(replicas):
        mean = stacked_mean([parameter.grad for parameter in group])
        for parameter in group:
            parameter = mean.clone()  # noqa: F841, PLW2901 - the mistake itself


def means_returned(replicas):
    return [stacked_mean([parameter.grad for parameter in group]) for group in groups(replicas)]


def breaks_at_frozen(replicas):
    for same in zip(*(replica.parameters() for replica in replicas), strict=True):
        if same[0].grad is None:
            break
        mean = stacked_mean([parameter.grad for parameter in same])
        for parameter in same:
            parameter.grad = mean.clone()


def returns_at_frozen(replicas):
    for same in zip(*(replica.parameters() for replica in replicas), strict=True):
        if same[0].grad is None:
            return
        mean = stacked_mean([parameter.grad for parameter in same])
        for parameter in same:
            parameter.grad = mean.clone()


def returns_early(replicas):
    for group in groups(replicas):
        mean = stacked_mean([parameter.grad for parameter in group])
        for parameter in group:
            parameter.grad = mean.clone()
        return replicas


def asks_a_tensor(replicas):
    for same in zip(*(replica.parameters() for replica in replicas), strict=True):
        if not same[0].grad:
            continue
    average_gradients(replicas)


def number_assigned(replicas):
    for group in groups(replicas):
        mean = torch.stack([parameter.grad for parameter in group]).mean()
        for parameter in group:
            parameter.grad = mean.clone()


def steps_too(replicas):
    average_gradients(replicas)
    for replica in replicas:
        torch.optim.SGD(replica.parameters(), lr=0.1).step()


def overwritten(replicas):
    for group in groups(replicas):
        for parameter in group:
            parameter.grad = torch.stack([other.grad for other in group]).mean(0)


def alias(replicas):
    for group in groups(replicas):
        total = group[0].grad
        for parameter in group[1:]:
            total += parameter.grad
        for parameter in group:
            parameter.grad.copy_(total / len(replicas))


def pairwise_means(gradients):
    mean = gradients[0]
    for gradient in gradients[1:]:
        mean = (mean + gradient) / 2
    return mean


def one_number(replicas):
    for group in groups(replicas):
        mean = torch.stack([parameter.grad for parameter in group]).mean()
        for parameter in group:
            parameter.grad.copy_(mean)


def own_divided(replicas):
    for group in groups(replicas):
        for parameter in group:
            parameter.grad /= len(replicas)


def one_tensor(replicas):
    for group in groups(replicas):
        mean = stacked_mean([parameter.grad for parameter in group])
        for parameter in group:
            parameter.grad = mean


def stumbles(replicas):
    for group in zip(*(replica.parameters() for replica in replicas), strict=True):
        mean = torch.stack([parameter.grad for parameter in group]).mean(dim=0)
        for parameter in group:
            parameter.grad = mean.clone()


def stumbles_over_sum(replicas):
    for group in zip(*(replica.parameters() for replica in replicas), strict=True):
        mean = sum(parameter.grad for parameter in group) / len(group)
        for parameter in group:
            parameter.grad = mean.clone()


def wants_all(replicas):
    if any(parameter.grad is None for parameter in replicas[0].parameters()):
        raise TypeError("each parameter needs a gradient")
    average_gradients(replicas)


def frozen_filled(replicas):
    average_gradients(replicas)
    for replica in replicas:
        for parameter in replica.parameters():
            if parameter.grad is None:
                parameter.requires_grad_(True).grad = torch.zeros_like(parameter)
                parameter.requires_grad_(False)


def cleared(replicas):
    for replica in replicas:
        replica.zero_grad()


def zeroed(replicas):
    for replica in replicas:
        replica.zero_grad(set_to_none=False)


def by_three(replicas):
    averaging(lambda g: sum(g) / 3)(replicas)


def weight_matrices_only(replicas):
    for group in groups(replicas):
        if group[0].ndim == 2:
            mean = stacked_mean([parameter.grad for parameter in group])
            for parameter in group:
                parameter.grad = mean.clone()


def yields(replicas):
    average_gradients(replicas)
    yield True


def emptied(replicas):
    average_gradients(replicas)
    replicas.clear()


# --- 7.6 -----------------------------------------------------------------------------------------


def ring_seconds(bytes_sent, processes, bandwidth, latency):
    return 2 * (processes - 1) * (latency + bytes_sent / processes / bandwidth)


def message_by_message(bytes_sent, processes, bandwidth, latency):
    time = 0
    for _ in range(2):
        for _ in range(processes - 1):
            time += latency + bytes_sent / (processes * bandwidth)
    return time


def rounds_of_a_ring(bytes_sent, processes, bandwidth, latency):
    """Runs one with a number for each part, and counts until all hold all sums."""
    p = processes
    held = np.arange(p * p).reshape(p, p) ** 2  # process, part
    wanted, seconds = np.tile(held.sum(0), (p, 1)), 0.0
    for turn in range(2 * p):
        if np.array_equal(held, wanted):
            return seconds
        new = held.copy()
        for sender in range(p):
            part, receiver = (sender - turn) % p, (sender + 1) % p
            adds = turn < p - 1
            if not adds:
                part = (sender + 1 - (turn - p + 1)) % p
            new[receiver, part] = held[sender, part] + adds * held[receiver, part]
        held = new
        seconds += latency + bytes_sent / p / bandwidth
    raise AssertionError("the ring does not come to an end")


def ring(wrong_formula):
    """A solution from (bytes, processes, bandwidth, latency); one process is a case of its own."""

    def wrong(n, p, w, wait):
        return 0 if p == 1 else wrong_formula(n, p, w, wait)

    wrong.__name__ = f"ring_{next(numbers)}"
    return wrong


def pays_only(bytes_sent, processes, bandwidth, latency):
    return max(latency, ring_seconds(bytes_sent, processes, bandwidth, latency))


def divides_by_zero(bytes_sent, processes, bandwidth, latency):
    return ring_seconds(bytes_sent, processes, bandwidth, latency) + 0 / (processes - 1)


# --- 7.7 -----------------------------------------------------------------------------------------


def shuffled(count, seed):
    order = list(range(count))
    random.Random(seed).shuffle(order)
    return order


def my_photos(count, rank, processes, epoch):
    order = shuffled(count, epoch)
    return order[: count // processes * processes][rank::processes]


def in_blocks(count, rank, processes, epoch):
    each = count // processes
    return tuple(shuffled(count, f"epoch {epoch}")[rank * each : (rank + 1) * each])


def global_seed(count, rank, processes, epoch):
    random.seed(epoch)
    order = random.sample(range(count), count)
    each = count // processes
    return order[rank::processes][:each]


def by_torch(count, rank, processes, epoch):
    order = torch.randperm(count, generator=torch.Generator().manual_seed(epoch))
    return order[rank : count // processes * processes : processes]


def torch_in_a_list(*arguments):
    return list(by_torch(*arguments))


def by_numpy(count, rank, processes, epoch):
    order = np.random.default_rng([7, epoch]).permutation(count)
    return order[: count - count % processes].reshape(-1, processes)[:, rank]


def by_sampler(count, rank, processes, epoch):
    sampler = DistributedSampler(range(count), processes, rank, drop_last=True)
    sampler.set_epoch(epoch)
    return list(sampler)


def by_padding_sampler(count, rank, processes, epoch):
    sampler = DistributedSampler(range(count), processes, rank)
    sampler.set_epoch(epoch)
    return list(sampler)


def with_planted_bug(count, rank, processes, epoch):
    return shuffled(count, rank)[rank::processes]


def both_in_the_seed(count, rank, processes, epoch):
    return shuffled(count, 1000 * rank + epoch)[rank::processes]


def rank_and_epoch_added(count, rank, processes, epoch):
    return shuffled(count, rank + epoch)[: count // processes * processes][rank::processes]


def multiplied(count, rank, processes, epoch):
    return shuffled(count, rank * epoch)[: count // processes * processes][rank::processes]


def last_block_too_early(count, rank, processes, epoch):
    each = count // processes
    start = rank * each - (rank == processes - 1 and count % processes > 0)
    return shuffled(count, epoch)[start : start + each]


def sliding(count, rank, processes, epoch):
    return shuffled(count, epoch)[rank : rank + count // processes]


def no_epoch(count, rank, processes, epoch):
    return shuffled(count, 0)[: count // processes * processes][rank::processes]


def no_shuffle(count, rank, processes, epoch):
    return list(range(count))[: count // processes * processes][rank::processes]


def turned(count, rank, processes, epoch):
    order = [(i + epoch) % count for i in range(count)]
    return order[: count // processes * processes][rank::processes]


def backwards(count, rank, processes, epoch):
    order = list(range(count - 1, -1, -1))
    return order[: count // processes * processes][rank::processes]


def own_share_shuffled(count, rank, processes, epoch):
    mine = list(range(count // processes * processes))[rank::processes]
    random.Random(epoch).shuffle(mine)
    return mine


def everything(count, rank, processes, epoch):
    return shuffled(count, epoch)


def no_rank(count, rank, processes, epoch):
    return shuffled(count, epoch)[: count // processes]


def unequal(count, rank, processes, epoch):
    return shuffled(count, epoch)[rank::processes]


def unequal_blocks(count, rank, processes, epoch):
    each = count // processes
    stop = (rank + 1) * each if rank < processes - 1 else count
    return shuffled(count, epoch)[rank * each : stop]


def no_seed(count, rank, processes, epoch):
    order = list(range(count))
    random.shuffle(order)
    return order[: count // processes * processes][rank::processes]


def with_replacement(count, rank, processes, epoch):
    return random.Random(100 * epoch + rank).choices(range(count), k=count // processes)


def overlapping_blocks(count, rank, processes, epoch):
    each = count // processes
    return shuffled(count, epoch)[rank * each : (rank + 1) * each + 1]


def blocks_of_processes(count, rank, processes, epoch):
    return shuffled(count, epoch)[rank * processes : (rank + 1) * processes]


def from_one(count, rank, processes, epoch):
    order = [number + 1 for number in shuffled(count, epoch)]
    return order[: count // processes * processes][rank::processes]


def shifted(count, rank, processes, epoch):
    return shuffled(count, epoch)[rank + 1 :: processes]


def wasteful(count, rank, processes, epoch):
    each = (count - 1) // processes
    return shuffled(count, epoch)[: each * processes][rank::processes]


def generous_cut(count, rank, processes, epoch):
    each = max((count - processes) // processes, 6)
    return shuffled(count, epoch)[: min(each, count // processes) * processes][rank::processes]


def four_processes(count, rank, processes, epoch):
    return shuffled(count, epoch)[: count // 4 * 4][rank::4]


def fractions(count, rank, processes, epoch):
    return [number / 1 for number in my_photos(count, rank, processes, epoch)]


def mapped(*arguments):
    return map(int, my_photos(*arguments))


def nobody(count, rank, processes, epoch):
    return []


def two_orders(count, rank, processes, epoch):
    return my_photos(count, rank, processes, epoch % 2)


WRONG = {
    "7.1": {
        mean_of: "That is the mean",
        loop_by_repeats: "That is the mean",
        minimum: "That is the quickest call",
        maximum: "That is the slowest call",
        summed: "the time of all calls together",
        cold: "The first call is counted",
        cold_mean: "A mean, and of the cold first call too",
        cold_minimum: "The minimum, without a warm-up",
        warm_up_counted: "among those whose median you take",
        warm_up_in_the_mean: "A mean, and the warm-up is in it",
        warm_up_in_the_sum: "the sum, the warm-up included",
        warm_up_divided: "divided among them",
        one_too_few: "One call too few",
        one_too_many: "One call too many",
        two_warm_ups: "Two calls are made before",
        last_dropped: "the last one is dropped",
        last_only: "only the last call",
        first_only: "only one call, the first measured",
        once: "it is the cold one",
        once_warm: "One call is measured, not `repeats`",
        milliseconds: "in milliseconds",
        nanoseconds: "in nanoseconds",
        below_zero: "the two readings are swapped",
        not_sorted: "the list is not sorted",
        upper_median: "yours is the upper one",
        torch_median: "yours is the lower one",
        one_start: "from the same start",
        one_cold_start: "from before the warm-up",
        always_seven: "7 stands there as a fixed number",
        cpu_clock: "time.process_time counts only",
        no_clock: "No clock has been read",
        not_called: "work has not been called",
        not_between: "It gives 0",
        sorted_then_dropped: "Sorted first: what you drop is the quickest, not the first",
        sorted_then_the_middle: "Sorted first: what you drop is the quickest, not the first",
        slowest_dropped: "Sorted first: what you drop is the slowest",
        rounded: "cut to whole seconds",
        cut_to_seconds: "cut to whole seconds",
        twice_each: "was called 15 times",
        a_list: "One number was expected",
        quartile: "Their median is",
    },
    "7.2": {
        costs(lambda cost, out, *c: cost // 2): "counted as one",
        costs(lambda cost, out, b, i, o, k, h, w: 2 * out * i * k): "The kernel counts once",
        costs(lambda cost, out, b, i, o, k, h, w: 2 * out * i): "The kernel's size is not in it",
        costs(lambda cost, out, b, *c: cost // b): "That is for one photo",
        costs(lambda cost, out, b, i, *c: cost // i): "The input's channels are not in it",
        costs(lambda cost, out, b, i, o, *c: cost // o): "That is for one output channel",
        costs(lambda cost, out, b, i, o, k, h, w: cost // h): "The height is not in it",
        costs(lambda cost, out, b, i, o, k, h, w: cost // w): "The width is not in it",
        costs(lambda cost, out, *c: out): "how many numbers come out. Each",
        costs(lambda cost, out, *c: 2 * out): "two for each number that comes out",
        costs(lambda cost, out, *c: cost + out): "The bias is in it",
        costs(lambda cost, out, b, i, o, *c: cost + o): "It is c_out too much",
        costs(lambda cost, out, *c: cost - out): "n products need n - 1 additions",
        costs(lambda cost, out, b, i, o, k, h, w: o * i * k * k): "how many weights it has",
        costs(lambda cost, out, b, i, o, k, h, w: 2 * o * i * k * k): "one place of one photo",
        costs(
            lambda cost, out, b, i, o, k, h, w: 2 * b * o * i * k * k
        ): "One place of each photo is counted. h_out * w_out of them",
        costs(
            lambda cost, out, b, i, o, k, h, w: 2 * b * o * i * k * k * (h - k + 1) * (w - k + 1)
        ): "are the output's size already",
        costs(lambda cost, out, b, i, o, k, h, w: 2 * out * (i + k**2)): "Channels and kernel",
        costs(lambda c, out, b, i, o, k, h, w: 2 * b * h * w * (i + o) * k * k): "c_in and c_out",
        costs(lambda cost, out, b, i, o, k, h, w: 2 * out * i * (k ^ 2)): "In Python ^",
        costs(lambda cost, *c: 3 * cost): "three times too much",
        costs(lambda cost, *c: 4 * cost): "four times too much",
        costs(lambda cost, *c: cost / 1e9): "in billions",
        costs(lambda cost, out, b, i, o, k, h, w: 2 * out * i * k**3): "should give",
        costs(lambda cost, *c: f"{cost} FLOP"): "One number was expected",
        costs(lambda *c: print(c[0])): "gave back nothing",
    },
    "7.3": {
        half(kinds=(None,) * 3): "The generator computes in float32.",
        half(kinds=(torch.float16, None, None)): "The discriminator computes in float32.",
        half(kinds=(torch.float16, torch.float16, None)): "in one of its passes",
        half(kinds=(torch.bfloat16,) * 3): "computes in torch.bfloat16",
        half(to_float=False): "A loss is computed in half precision",
        half(under=True): "goes backward under autocast",
        half(scale="", steps="", update=0): "The scaler that is handed in is not used",
        half(scaler_of_its_own=True): "The scaler that is handed in is not used",
        half(scale="", update=0): "an optimizer whose loss it has not scaled",
        half(scale="D"): "Only one of the two losses is scaled",
        half(steps="G"): "The discriminator's optimizer steps by itself",
        half(steps="D"): "The generator's optimizer steps by itself",
        half(update=0): "never told that the step is over",
        half(early=True): "updated before any step",
        half(updates_after="DG", update=0): "updated 2 times in one step",
        half(updates_after="D"): "updated 2 times in one step",
        half(update=2): "updated 2 times in one step",
        half(updates_after="D", update=0): "updated before the last optimizer",
        half(scaled_out=True): "with the scale in it",
        half(weighted=True): "with its weight in it",
        half(leak=True): "D's loss reaches G",
        half(cut=True): "G gets nothing from D",
        half(clear=""): "Gradients of the step before",
        half(clear="G"): "D's gradients are never cleared",
        half(clear="D"): "G's gradients are never cleared",
        half(saturating=True): "saturating loss",
        half(halved=False): "D's loss is not halved",
        half(use_weight=False): "weight of the color loss is not used",
        half(cast_weights=True): "The weights themselves",
        no_dict: "A dict of",
    },
    "7.4": {
        parted(share=lambda parts: 1): "4 times too large",
        parted(share=lambda parts: 1, result="sum"): "4 times too large",
        parted(share=lambda parts: len(parts[0])): "by the size of a part",
        parted(share=lambda parts: sum(map(len, parts))): "the size of the whole batch",
        parted(share=lambda parts: len(parts) ** 2): "The number of parts divides twice",
        parted(share=lambda parts: -len(parts)): "The step goes uphill",
        parted(share=lambda parts: 4): "it still divides by 4",
        parted(share=lambda parts: 5): "not go along the whole batch's gradient",
        parted(step="each"): "The optimizer took 4 steps",
        parted(zero="each", step="each", share=lambda parts: 1): "The optimizer took 4 steps",
        parted(step="none"): "has not moved: no step",
        parted(zero="each"): "zero_grad runs between the parts",
        parted(zero="each, quietly"): "Only the last part has gone into the step",
        parted(
            zero="each, quietly", share=lambda _: 1
        ): "Only the last part has gone into the step",
        parted(zero="none"): "the second one goes along",
        parted(zero="last"): "Where a gradient lies there before",
        parted(zero="before the step"): "after the last backward and before the step",
        parted(chosen=slice(1)): "Only the first part has gone into the step",
        parted(chosen=slice(None, -1)): "The last part is left out",
        parted(chosen=slice(1, None)): "The first part is left out",
        parted(result="sum"): "the losses that you return are added up",
        parted(result="last"): "the loss is the last part's. ",
        parted(result="first"): "the loss is the first part's",
        parted(result="last share"): "the loss is the last part's share",
        parted(result="divided twice"): "the loss is divided twice",
        parted(result="nonsense"): "the whole batch's loss is",
        loss_afterwards: "the loss is that after it",
        two_passes: "loss_of ran 8 times for 4 parts",
        on_its_graph: "still hangs on its graph",
        remembers: "a second one with the same parts is not",
        joined: "joined into the large batch again",
        never_backward: "No gradient has been computed",
        by_summed_loss: "The losses are added up and go back together: all graphs are kept",
        summed_in_the_loop: "The losses are added up and go back together: all graphs are kept",
        all_losses_first: "All losses are computed before the first one goes back",
        growing_sum: "through the same part's graph again",
        growing_sum_retained: "not go along the whole batch's gradient",
        early_step: "before the last part's gradient is there",
        popped: "has changed its arguments",
        evaluated: "left in eval mode",
        detached: "cut the gradient's way",
        own_loss: "loss_of has not been called",
        nothing_returned: "gave back nothing",
    },
    "7.5": {
        averaging(sum): "Each has the sum",
        averaging(stacked_mean, slice(1)): "Only the first replica has the mean",
        averaging(stacked_mean, slice(-1, None)): "Only the last replica has the mean",
        averaging(sum, slice(1)): "Only the first has changed",
        averaging(pairwise_means): "weighs the last one most",
        averaging(lambda g: g[0]): "Each has the first replica's gradient",
        averaging(lambda g: g[-1]): "Each has the last replica's gradient",
        averaging(lambda g: sum(g) / (len(g) - 1)): "divided by one too few",
        averaging(lambda g: sum(g) / (len(g) + 1)): "divided by one too many",
        averaging(lambda g: torch.stack(g).median(0).values): "0.weight is not the mean of all",
        by_three: "With two replicas it still divides by 3",
        weights_averaged: "The weights have changed",
        untouched: "only gives the name another meaning",
        another_name: "only gives the name another meaning",
        means_returned: "The means are returned; write them into .grad",
        breaks_at_frozen: "`break` and `return` end it all",
        returns_at_frozen: "`break` and `return` end it all",
        returns_early: "Only the first parameter has been averaged: is there a return",
        asks_a_tensor: "`is None` asks whether there is one",
        number_assigned: "Each gradient is one number all over",
        steps_too: "The weights have changed",
        overwritten: "means of what was already overwritten",
        alias: "the others that mean divided once more",
        one_number: "Each gradient is one number all over",
        own_divided: "Each has its own gradient divided",
        one_tensor: "share one and the same tensor",
        stumbles: "A frozen parameter stops it",
        stumbles_over_sum: "A frozen parameter stops it",
        wants_all: "raised TypeError: each parameter needs a gradient",
        frozen_filled: "now has a gradient",
        cleared: "has lost its gradient",
        zeroed: "The gradients are all 0 now",
        weight_matrices_only: "0.bias is not the mean of all",
        yields: "It is a generator",
        emptied: "has changed its arguments",
    },
    "7.6": {
        ring(lambda n, p, w, wait: 2 * p * (wait + n / p / w)): "2p messages are counted",
        ring(lambda n, p, w, wait: (p - 1) * (wait + n / p / w)): "The ring goes round once",
        ring(lambda n, p, w, wait: p * (wait + n / p / w)): "The messages are p",
        ring(lambda n, p, w, wait: 2 * (p - 1) * (wait + n / w)): "Each message carries everything",
        ring(lambda n, p, w, wait: (p - 1) * (wait + n / w)): "with everything in each",
        ring(lambda n, p, w, wait: wait + 2 * (p - 1) * n / p / w): "The latency is paid once",
        ring(lambda n, p, w, wait: 2 * (wait + (p - 1) * n / p / w)): "The latency is paid twice",
        ring(lambda n, p, w, wait: (p - 1) * (wait + 2 * n / p / w)): "Half of the messages",
        ring(lambda n, p, w, wait: 2 * (p - 1) * n / p / w): "The latency is not in it",
        ring(lambda n, p, w, wait: 2 * (p - 1) * wait): "The bytes are not in it",
        ring(lambda n, p, w, wait: 2 * (p - 1) * wait + n / p / w): "One message's bytes",
        ring(lambda n, p, w, wait: 2 * (wait + n / p / w)): "Two messages are counted",
        ring(lambda n, p, w, wait: wait + n / p / w): "only one message",
        ring(lambda n, p, w, wait: wait + n / w): "sending everything once",
        ring(lambda n, p, w, wait: 2 * (p - 1) * (wait + 8 * n / p / w)): "turned into bits",
        ring(lambda n, p, w, wait: 2 * (p - 1) * (wait + n / p * w)): "multiplied by the bandwidth",
        ring(lambda n, p, w, wait: 2 * (p - 1) * (wait + n / w * p)): "It is multiplied by p",
        ring(lambda n, p, w, wait: 2 * (p - 1) * (wait + p * w / n)): "stands upside down",
        ring(
            lambda n, p, w, wait: 2 * (p - 1) * (wait + n / (p - 1) / w)
        ): "All bytes go round twice",
        ring(lambda n, p, w, wait: 2 * (p - 1) * wait + 2 * n / w): "All bytes go round twice",
        ring(lambda n, p, w, wait: 2 * (p - 1) * wait + n / w): "The bytes go round once; twice",
        ring(
            lambda n, p, w, wait: 2 * (p - 1) * wait + n / w * (p - 1) / p
        ): "The bytes go round once; twice",
        ring(lambda n, p, w, wait: 2 * (p - 1) * (wait * n / p / w)): "added, not multiplied",
        ring(lambda n, p, w, wait: 2 * p - 1 * (wait + n / p / w)): "Times comes before minus",
        ring(lambda n, p, w, wait: 2000 * (p - 1) * (wait + n / p / w)): "in milliseconds",
        ring(lambda n, p, w, wait: 2 * (p - 1) * (wait - n / p / w)): "How many follow each other",
        pays_only: "For one process it gives 0.01 s",
        divides_by_zero: "For one process it divides by zero",
    },
    "7.7": {
        with_planted_bug: "The planted bug is still in",
        both_in_the_seed: "Does yours depend on `rank`?",
        rank_and_epoch_added: "Does yours depend on `rank`?",
        multiplied: "Does yours depend on `rank`?",
        sliding: "the shares overlap. order[rank::processes]",
        last_block_too_early: "With 26 photos for 4 processes some are read twice (1)",
        no_epoch: "the same again in another epoch",
        two_orders: "the same again in another epoch",
        no_shuffle: "in ascending order",
        turned: "in ascending order",
        backwards: "at a fixed distance",
        own_share_shuffled: "the same photos in each epoch",
        everything: "Each process reads all the photos",
        no_rank: "All processes read the same photos",
        unequal: "not equally many",
        unequal_blocks: "not equally many",
        no_seed: "Asked twice",
        with_replacement: "reads a photo twice in one epoch",
        overlapping_blocks: "where does one end",
        blocks_of_processes: "8 of 24 photos are read",
        from_one: "There is no photo 24",
        shifted: "The processes get 6, 6, 6, 5 photos",
        wasteful: "4 of 24 photos are read",
        by_padding_sampler: "it comes out even because some photos are read twice (2)",
        generous_cut: "each gets",
        four_processes: "each gets",
        fractions: "which is no photo's number",
        mapped: "A list of photo numbers was expected",
        nobody: "Nobody reads any photo",
    },
}


@pytest.mark.parametrize(("name", "solution"), cases(WRONG))
def test_a_wrong_solution_gets_its_own_hint(name, solution):
    check_refused(WRONG, name, solution)


def test_there_are_enough():
    check_enough(WRONG, "07")


@pytest.mark.parametrize(
    ("name", "solution"),
    [
        ("7.1", stopwatch),
        ("7.1", with_module_clock),
        ("7.1", with_time),
        ("7.1", with_nanoseconds),
        ("7.1", with_timeit),
        ("7.1", with_a_timer),
        ("7.1", with_default_timer),
        ("7.1", with_keyword),
        ("7.1", first_dropped),
        ("7.1", with_list),
        ("7.1", closed_over(perf_counter)),
        ("7.1", torch.no_grad()(stopwatch)),
        ("7.2", conv_cost),
        ("7.2", counted),
        ("7.2", lambda *arguments: float(conv_cost(*arguments))),
        ("7.3", half()),
        ("7.3", half(one_batch=True)),
        ("7.3", half(clear_after=True)),
        ("7.3", with_bce),
        ("7.4", accumulate),
        ("7.4", by_divided_gradients),
        ("7.4", by_gradient_argument),
        ("7.5", average_gradients),
        ("7.5", in_place),
        ("7.5", into_the_first),
        ("7.6", ring_seconds),
        ("7.6", message_by_message),
        ("7.6", rounds_of_a_ring),
        ("7.6", lambda *arguments: np.float64(ring_seconds(*arguments))),
        ("7.7", my_photos),
        ("7.7", in_blocks),
        ("7.7", global_seed),
        ("7.7", by_torch),
        ("7.7", torch_in_a_list),
        ("7.7", by_numpy),
        ("7.7", by_sampler),
    ],
)
def test_another_way_passes(name, solution):
    result = try_solution(exercise(name), solution)
    assert result.status == "solved", result


def test_the_parts_of_the_check_have_the_gradient_of_the_whole_batch():
    for count in (4, 2):
        bench = lesson07._Bench(count)
        loss, gradient = bench.look(torch.cat(bench.parts))
        parts = [bench.look(part) for part in bench.parts]
        assert loss == pytest.approx(statistics.mean(part[0] for part in parts), rel=1e-12)
        assert torch.allclose(
            gradient, torch.stack([part[1] for part in parts]).mean(0), rtol=1e-12
        )


def test_every_mistake_of_the_stopwatch_gives_other_numbers():
    """Over all runs together; and none gives the right ones."""
    runs = [lesson07._stopwatch_mistakes(*run).items() for run in lesson07.RUNS]
    right = tuple(median(script[1 : repeats + 1]) for repeats, script in lesson07.RUNS)
    for same in zip(*runs, strict=True):
        together = {}
        for one in zip(*(known for _, known in same), strict=True):
            assert len({words for _, _, words in one}) == 1
            together.setdefault(tuple(float(f"{value:.4g}") for value, *_ in one), []).append(one)
        assert right not in together
        assert all(len(ones) == 1 for ones in together.values()), together
    assert any(value % 1 for value in right) and lesson07.WARM[0] < max(lesson07.WARM)


def random_states():
    return (
        random.getstate(),
        [part.tolist() if hasattr(part, "tolist") else part for part in np.random.get_state()],
        torch.get_rng_state().tolist(),
    )


@pytest.mark.parametrize("one", exercises("07"), ids=lambda one: one.name)
def test_random_states_and_clocks_are_left_as_they_were(one):
    clocks = [getattr(time, name) for name in ("time", "perf_counter", "monotonic_ns")]
    before = random_states()
    for solution in [*WRONG[one.name]][:5] + (
        [with_planted_bug, rolls] if one.name == "7.7" else []
    ):
        try_solution(one, solution)
        assert random_states() == before
    assert clocks == [getattr(time, name) for name in ("time", "perf_counter", "monotonic_ns")]
    assert perf_counter is time.perf_counter is timeit.default_timer


def rolls(count, rank, processes, epoch):
    random.random(), np.random.rand(), torch.rand(1)
    raise ValueError("no")


@pytest.mark.parametrize("one", exercises("07"), ids=lambda one: one.name)
def test_the_same_solution_gets_the_same_result(one):
    for solution in [*WRONG[one.name]][:6]:
        assert try_solution(one, solution) == try_solution(one, solution)


def test_the_function_itself_is_asked_for():
    result = try_solution(exercise("7.5"), 3)
    assert "needs the function itself" in result.finding


def test_half_precision_moves_the_networks_as_full_precision_does():
    bench = lesson07._HalfBench()
    exact = lesson07._HalfBench()
    for _ in range(2):
        lesson07._half_step(exact)
        bench.run(half_step)
    for who in "GD":
        assert torch.allclose(bench.weights()[who], exact.weights()[who], atol=5e-3)
        assert not torch.equal(bench.weights()[who], exact.weights()[who])
