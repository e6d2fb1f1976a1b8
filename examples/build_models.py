"""Builds the example models: `python examples/build_models.py` writes them anew.

Another processor or NumPy may calibrate a scale to another last digit.

`v3/` is the detector family of the report this project began with: levels 2, 3 and 4, each with ReLU
and with LeakyReLU. `zoo/` holds four small networks of other kinds, `phone/` one of them before
quantization.
"""

from __future__ import annotations

from pathlib import Path

from qdq import Net

HERE = Path(__file__).parent


def elan(net: Net, x: str, hidden: int, channels: int, act: str) -> str:
    """Five convolutions and a concatenation (an ELAN block)."""
    a = net.activate(net.conv(x, hidden), act)
    b = net.activate(net.conv(x, hidden), act)
    c = net.activate(net.conv(b, hidden, 3, pad_node=True), act)
    d = net.activate(net.conv(c, hidden, 3, pad_node=True), act)
    return net.activate(net.conv(net.concat(a, b, c, d), channels), act)


def halve(net: Net, x: str, channels: int, act: str) -> str:
    """Max pool beside a stride-2 convolution: three convolutions and a concatenation."""
    pooled = net.activate(net.conv(net.max_pool(x), channels), act)
    narrow = net.activate(net.conv(x, channels), act)
    strided = net.activate(net.conv(narrow, channels, 3, 2, pad_node=True), act)
    return net.concat(pooled, strided)


def context(net: Net, x: str, level: int) -> str:
    """The max-pool block, which is what the levels change.

    Level 2 pools to half the size and back, which the NPU runs. Levels 3 and 4 use one and two 5x5
    pools of stride 1 (SPPF), which it does not.
    """
    if level == 2:
        return net.concat(x, net.resize(net.max_pool(x)))
    pooled = [net.max_pool(x, 5, 1, 2)]
    if level == 4:
        pooled.append(net.max_pool(pooled[-1], 5, 1, 2))
    return net.concat(x, *pooled)


def v3(level: int, act: str) -> Net:
    """A V3 detector: 67 convolutions with bias, 19 concatenations, three heads."""
    net = Net(f"v3_level{level}_{act}", (1, 3, 128, 128), seed=level)
    corners = [(0, 0), (1, 0), (0, 1), (1, 1)]
    slices = [net.slice("image", list(corner), [2, 2]) for corner in corners]
    x = net.activate(net.conv(net.concat(*slices), 16, 3, pad_node=True), act)
    x = net.activate(net.conv(x, 32, 3, 2, pad_node=True), act)
    x = elan(net, x, 16, 32, act)
    p3 = elan(net, halve(net, x, 16, act), 16, 32, act)
    p4 = elan(net, halve(net, p3, 16, act), 16, 48, act)
    p5 = elan(net, halve(net, p4, 32, act), 16, 64, act)
    top = context(net, p5, level)
    lateral = net.activate(net.conv(top, 32), act)
    skip = net.activate(net.conv(p4, 32), act)
    n4 = elan(net, net.concat(net.resize(lateral), skip), 16, 48, act)
    lateral4 = net.activate(net.conv(n4, 32), act)
    skip3 = net.activate(net.conv(p3, 32), act)
    n3 = elan(net, net.concat(net.resize(lateral4), skip3), 16, 32, act)
    m4 = elan(net, net.concat(halve(net, n3, 16, act), n4), 16, 48, act)
    m5 = elan(net, net.concat(halve(net, m4, 32, act), top), 16, 64, act)
    outputs = []
    for feature, size in ((n3, 16), (m4, 8), (m5, 4)):
        head = net.conv(net.activate(net.conv(feature, 32, 3, pad_node=True), act), 255)
        outputs.append(net.reshape(head, [1, 255, size * size, 1]))
    net.finish(*outputs)
    return net


def mobilenet() -> Net:
    """A MobileNet-like classifier of depthwise separable convolutions."""
    net = Net("mobilenet", (1, 3, 64, 64))
    x = net.activate(net.conv("image", 16, 3, 2), "relu")
    for channels, stride in ((32, 1), (32, 2), (64, 1), (64, 2), (128, 1)):
        x = net.activate(net.conv(x, net.channels[x], 3, stride, groups=net.channels[x]), "relu")
        x = net.activate(net.conv(x, channels), "relu")
    x = net.add("GlobalAveragePool", [x], shares_input=True)
    net.finish(net.dense(net.reshape(x, [1, 128]), 10))
    return net


def unet() -> Net:
    """A U-Net with transposed convolutions and a sigmoid whose output scale is exactly 1/256."""
    net = Net("unet", (1, 3, 64, 64), seed=1)
    x, skips = "image", []
    for channels in (16, 32, 48):
        x = net.activate(net.conv(x, channels, 3), "relu")
        x = net.activate(net.conv(x, channels, 3), "relu")
        skips.append(x)
        x = net.max_pool(x)
    x = net.activate(net.conv(x, 64, 3), "relu")
    for skip in reversed(skips):
        channels = net.channels[skip]
        x = net.concat(net.up(x, channels), skip)
        x = net.activate(net.conv(x, channels, 3), "relu")
    net.finish(net.add("Sigmoid", [net.conv(x, 1)], fixed=(1 / 256, -128)))
    return net


def silu_detector() -> Net:
    """A small detector with SiLU: its multiplications of two activations stay on the CPU."""
    net = Net("silu_detector", (1, 3, 64, 64), seed=2)
    x = net.activate(net.conv("image", 16, 3, 2), "silu")
    for channels in (32, 48, 64):
        x = net.activate(net.conv(x, channels, 3, 2), "silu")
        y = net.activate(net.conv(x, channels, 3), "silu")
        x = net.add("Add", [x, y])
    net.finish(net.conv(x, 255))
    return net


def keyword_spotting() -> Net:
    """A DS-CNN on 49x10 audio features: a 10x4 stem and a 25x5 average pool."""
    net = Net("dscnn_kws", (1, 1, 49, 10), seed=3)
    x = net.activate(net.conv("image", 64, (10, 4), 2, pads=[5, 1, 5, 1]), "relu")
    for _ in range(4):
        x = net.activate(net.conv(x, 64, 3, groups=64), "relu")
        x = net.activate(net.conv(x, 64), "relu")
    x = net.add("AveragePool", [x], kernel_shape=[25, 5], strides=[25, 5], shares_input=True)
    net.finish(net.dense(net.reshape(x, [1, 64]), 12))
    return net


def main() -> None:
    """Writes all models."""
    for level in (2, 3, 4):
        for act in ("relu", "leaky"):
            # The export of level 2 with LeakyReLU left its input's dimensions open.
            careless = (level, act) == (2, "leaky")
            path = HERE / "v3" / "models" / f"level{level}_{act}.onnx"
            v3(level, act).save(path, dynamic=careless)
    for net in (mobilenet(), unet(), silu_detector(), keyword_spotting()):
        net.save(HERE / "zoo" / "models" / f"{net.name}.onnx")
    mobilenet().save(HERE / "phone" / "models" / "mobilenet_float.onnx", quantized=False)


if __name__ == "__main__":
    main()
