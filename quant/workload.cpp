#include "quant/workload.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "quant/groups.hpp"
#include "quant/stand_ins.hpp"

namespace fraqat::inline FRAQAT_PRECISION::quant {
namespace {

/// A tensor that passed through a slot while the tape had `nodes` nodes.
struct Passage {
  std::size_t nodes, tensor;
  Var from, to;
};

/// Stands in a slot, in place of its quantizer, and takes notes.
class Witness final : public nn::Transform {
 public:
  Witness(std::size_t tensor, std::vector<Passage>& passages)
      : tensor_(tensor), passages_(passages) {}

  Var operator()(const Var& x) override {
    const Var codes(x.value());
    passages_.push_back({Tape::current()->nodes().size(), tensor_, x, codes});
    return codes;
  }

 private:
  std::size_t tensor_;
  std::vector<Passage>& passages_;
};

/// Witnesses in all slots that have a quantizer.
class Witnesses {
 public:
  explicit Witnesses(nn::Module& model)
      : stand_ins_(model, [this](const std::shared_ptr<Quantizer>& quantizer) {
          quantizers.push_back(quantizer.get());
          return std::make_shared<Witness>(quantizers.size() - 1, passages);
        }) {}

  std::vector<Quantizer*> quantizers;
  std::vector<Passage> passages;

 private:
  StandIns stand_ins_;
};

/// Multiplications of one sample.
Index macs_of(const Node& node, Index batch) {
  const auto per_sample = [batch](const Var& v) { return v.value().size() / batch; };
  const Shape &x = node.inputs()[0].shape(), &w = node.inputs()[1].shape();
  if (node.op() == "matmul") {
    const bool turned = node.attributes().get<Index>("transpose_a") != 0;
    return per_sample(node.output()) * (turned ? x[-2] : x[-1]);
  }
  // Each number of one side meets every weight of its row.
  const bool transposed = node.op() == "conv_transpose2d";
  const Var& rows = transposed ? node.inputs()[0] : node.output();
  return per_sample(rows) * (w.size() / w[0]);
}

/// Reads the tape as lowering does: what stands between two slots is one integer
/// op, which runs where the second slot is; ops that move codes are ops of their own.
class Reading {
 public:
  Reading(const Tape& tape, const Witnesses& witnesses, const Var& output, Index batch)
      : witnesses_(witnesses), batch_(batch) {
    std::size_t next = 0;
    const auto pass = [&](std::size_t nodes) {
      for (; next < witnesses.passages.size() && witnesses.passages[next].nodes <= nodes; ++next)
        leave_slot(witnesses.passages[next]);
    };
    for (std::size_t i = 0; i < tape.nodes().size(); ++i) {
      pass(i);
      read(*tape.nodes()[i]);
    }
    pass(tape.nodes().size());
    const auto open = open_.find(output.id());
    run(open == open_.end() ? std::set<std::size_t>() : open->second);
    accumulators_ = open == open_.end() ? 0 : 4 * output.value().size() / batch;
  }

  Workload take() {
    workload_.quantizers = witnesses_.quantizers;
    for (std::size_t step = 0; step < steps_; ++step) {
      Workload::Moment moment;
      for (const Value& value : values_)
        if (value.born <= step && value.last >= step)
          moment.rooms.push_back({value.tensor, value.elements});
      moment.other_bytes = step + 1 == steps_ ? accumulators_ : 0;
      workload_.moments.push_back(std::move(moment));
    }
    return std::move(workload_);
  }

 private:
  /// Codes in memory, from the op that writes them to the last that reads them.
  struct Value {
    std::size_t tensor;
    Index elements;
    std::size_t born, last;
  };

  bool weight(std::size_t tensor) const {
    return witnesses_.quantizers[tensor]->info().role == Role::weight;
  }

  /// An op that reads `inputs` runs.
  void run(const std::set<std::size_t>& inputs) {
    for (const std::size_t value : inputs) values_[value].last = steps_;
    ++steps_;
  }

  void write(const Var& to, std::size_t tensor) {
    codes_[to.id()] = values_.size();
    const std::size_t now = steps_ ? steps_ - 1 : 0;
    values_.push_back({tensor, to.value().size() / batch_, now, now});
  }

  void leave_slot(const Passage& passage) {
    tensors_[passage.to.id()] = passage.tensor;
    if (weight(passage.tensor)) return;
    const auto open = open_.find(passage.from.id());
    if (open != open_.end()) run(open->second);
    if (const auto codes = codes_.find(passage.from.id()); codes != codes_.end())
      run({codes->second});
    write(passage.to, passage.tensor);
  }

  void multiply(const Node& node) {
    const auto left = tensors_.find(node.inputs()[0].id());
    const auto right = tensors_.find(node.inputs()[1].id());
    if (left == tensors_.end() || right == tensors_.end()) return;
    auto& all = workload_.products;
    const Index macs = macs_of(node, batch_);
    for (Workload::Product& product : all)
      if (product.left == left->second && product.right == right->second) {
        product.macs += macs;
        return;
      }
    all.push_back({left->second, right->second, macs});
  }

  void read(const Node& node) {
    if (multiplies_weight(node) || node.op() == "matmul") multiply(node);
    std::set<std::size_t> reads;
    std::set<std::size_t> tensors;
    bool coded = moves_codes(node) || clamps(node);
    for (const Var& input : node.inputs()) {
      if (!input) continue;
      if (const auto tensor = tensors_.find(input.id()); tensor != tensors_.end())
        tensors.insert(tensor->second);
      if (const auto codes = codes_.find(input.id()); codes != codes_.end())
        reads.insert(codes->second);
      if (const auto open = open_.find(input.id()); open != open_.end()) {
        reads.insert(open->second.begin(), open->second.end());
        coded = false;
      }
    }
    if (node.op() == "add" && tensors.size() == 2)
      workload_.added.emplace_back(*tensors.begin(), *tensors.rbegin());
    if (!coded || tensors.size() != 1) {
      if (!reads.empty()) open_[node.output().id()] = std::move(reads);
      return;
    }
    tensors_[node.output().id()] = *tensors.begin();
    if (node.op() == "reshape" && reads.size() == 1) {
      codes_[node.output().id()] = *reads.begin();  // the same memory
      return;
    }
    run(reads);
    write(node.output(), *tensors.begin());
  }

  const Witnesses& witnesses_;
  const Index batch_;
  Workload workload_;
  std::vector<Value> values_;
  std::size_t steps_ = 0;
  Index accumulators_ = 0;
  std::map<const void*, std::size_t> codes_;           // of a variable: its value
  std::map<const void*, std::size_t> tensors_;         // whose codes it has
  std::map<const void*, std::set<std::size_t>> open_;  // values its group has read so far
};

}  // namespace

Workload workload_of(nn::Module& model, const Tensor& sample) {
  Witnesses witnesses(model);
  Tape tape(Tape::Records::graph);
  const Var output = model(Var(sample));
  return Reading(tape, witnesses, output, sample.dim(0)).take();
}

}  // namespace fraqat::inline FRAQAT_PRECISION::quant
