// Views of a whole tree: each node asks its children for their subtrees and adds its own line.
#pragma once

#include <cstdint>
#include <map>

#include "scribe/shared.h"

namespace scribe {

class Walks {
 public:
  explicit Walks(Shared& shared) : shared_(shared) {}

  void collect(Context context, const Key& group, TreeCallback done);
  void answered(Context context, const TreeAnswer& answer);

  // At the root: somebody wants to see the tree.
  void query(Context context, Handle from, const TreeQuery& query);
  // At the other nodes: the parent wants to see the subtree.
  void walk(Context context, const pastry::Incoming& message, const TreeWalk& walk);
  void replied(Context context, pastry::OperationId operation, const Result<Payload>& answer);

  void tick(Context context);
  bool idle() const { return queries_.empty(); }
  bool empty() const { return queries_.empty() && walks_.empty() && requests_.empty(); }
  void mark_handles(pastry::Directory& directory) const;

 private:
  struct Query {
    Key group;
    TreeCallback done;
    Time deadline{};
  };
  struct Walk {
    Handle to = kNoHandle;
    std::uint32_t request = 0;  // 0: at the root, `to` gets a TreeAnswer with `token`
    std::uint64_t token = 0;
    TreeAnswer answer;
    std::size_t open = 0;  // children that have not answered
  };

  void begin(Context context, Walk walk, const Key& group, int depth, Duration timeout);
  void finish(Context context, const Walk& walk);

  Shared& shared_;
  std::map<std::uint64_t, Query> queries_;  // by token
  std::map<std::uint64_t, Walk> walks_;
  std::map<pastry::OperationId, std::uint64_t> requests_;  // → walk
  std::uint64_t next_walk_ = 1;
};

}  // namespace scribe
