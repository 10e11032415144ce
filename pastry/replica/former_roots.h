// What a newcomer does not have although it is stored.
//
// A node that has just become active is the root of keys that others were the roots of before, and
// what they hold reaches it in the course of maintenance. Where many nodes join at once nobody that
// it knows may be a holder, and "nobody has it" would be false. So while a node is new it asks for
// what it lacks whoever was the root before it came: of the neighbours that it had then, the one
// closest to the key. That one may be new, too, and asks in its turn; as each asks only who was
// active before itself as far as it knew, the questions mostly end at a node that is not new; two
// that did not know of each other wait for a timeout. What is found on the way is kept.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "pastry/replica/custodian.h"
#include "pastry/replica/strays.h"

namespace pastry::replica {

// The neighbours that were active when this node became it.
struct Elders {
  Time until{};  // this node is new
  std::vector<Handle> peers;
};

class FormerRoots {
 public:
  using Kept = std::function<void(Context)>;

  // All must outlive this; `*elders` is null if the node is not new. `kept` is told when an entry
  // is held here that was not before.
  FormerRoots(const Options& options, Calls& calls, Custodian& custodian, Strays& strays,
              const std::unique_ptr<Elders>& elders, Kept kept)
      : options_(&options),
        calls_(&calls),
        custodian_(&custodian),
        strays_(&strays),
        elders_(&elders),
        kept_(std::move(kept)) {}

  // Who holds the place of the root, or did, finds out; others say what they have.
  void stat(Context context, const Incoming& message, const Stat& request);
  // As Custodian::look_up(), but what is missing here is asked for if this node is new. Answers
  // besides: busy (an update is under way) and failed (could not be found out).
  void look_up(Context context, const StoreName& name, Custodian::Found found);
  void mark_handles(Directory& directory) const;

 private:
  struct Question {
    std::vector<Custodian::Found> waiting;
    std::vector<Handle> candidates;  // most likely first
    std::size_t asked = 0;
  };

  void begin(Context context, const StoreName& name, Custodian::Found found);
  void ask_next(Context context, const StoreName& name);
  void answered(Context context, const StoreName& name, Handle peer, const Statted* stat);
  void fetch(Context context, const StoreName& name, Handle peer);
  void keep(Context context, const StoreName& name, Handle peer, const Got& got, Payload body);
  void end(Context context, const StoreName& name, Answer answer, const EntryInfo& entry = {});

  const Options* options_;
  Calls* calls_;
  Custodian* custodian_;
  Strays* strays_;
  const std::unique_ptr<Elders>* elders_;
  Kept kept_;
  std::map<StoreName, Question> questions_;
};

}  // namespace pastry::replica
