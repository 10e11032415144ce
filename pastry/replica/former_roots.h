// What a newcomer does not have although it is stored.
//
// A node that has just become active is the root of keys that others were the roots of before, and
// what they hold reaches it in the course of maintenance. Where many nodes join at once nobody that
// it knows may be a holder, and "nobody has it" would be false. So while a node is new it asks for
// what it lacks whoever was the root before it came: of the elders, the one closest to the key.
// That one may be new, too, and asks in its turn. Each is asked only by one that is closer to the
// key, so that nobody waits for itself, and the questions end at a node that is not new.
//
// An elder that answers that it does not know (yet) leaves the question open: whoever asked hears
// `failed` unless another has the entry, and asks again. So does one that is silent: it may be
// starting again, with all that it had. It is gone if it is no leaf and stays silent for as long as
// that takes. What is found on the way is kept.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "pastry/replica/custodian.h"
#include "pastry/replica/strays.h"

namespace pastry::replica {

// The neighbours that were active when this node became it, and who admitted it.
struct Elders {
  struct Elder {
    Handle peer = kNoHandle;
    Time silent_since = kNever;
  };
  Time until{};  // this node is new
  std::vector<Elder> members;
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

  // Who is asked as the former root finds out; others say what they have.
  void stat(Context context, const Incoming& message, const Stat& request);
  // As Custodian::look_up(), but what is missing here is asked for if this node is new. Answers
  // besides: busy (an update is under way, or too much is) and failed (could not be found out).
  // `asker`: the peer that `found` answers, kNoHandle for none.
  void look_up(Context context, const StoreName& name, Handle asker, Custodian::Found found);
  void mark_handles(Directory& directory) const;

 private:
  struct Waiting {
    Handle asker = kNoHandle;
    bool former = false;  // asked as the former root: is to hear something soon
    Custodian::Found found;
  };
  struct Question {
    std::vector<Waiting> waiting;
    std::vector<Handle> candidates;  // most likely first
    std::size_t next = 0;            // candidate to ask
    std::size_t gone = 0;            // of those asked
    bool repeated = false;           // the one before was asked twice
    bool unsure = false;             // one could not find out
    std::uint64_t timer = 0;         // for those who asked this node as the former root
  };

  bool is_new(Context context) const;
  void find_out(Context context, const StoreName& name, Waiting waiting);
  void wait(Context context, const StoreName& name, Waiting waiting);
  Question& begin(Context context, const StoreName& name);
  void ask_next(Context context, const StoreName& name);
  void ask(Context context, const StoreName& name, Handle peer);
  void silent(Context context, const StoreName& name, Handle peer, ErrorCode why);
  bool gone(Context context, Handle peer);
  Elders::Elder* elder(Handle peer);
  void answered(Context context, const StoreName& name, Handle peer, const Statted& stat);
  void unsure(Context context, const StoreName& name);
  void fetch(Context context, const StoreName& name, Handle peer, std::uint64_t size);
  void keep(Context context, const StoreName& name, Handle peer, const Got& got, Payload body);
  void put_off(Context context, const StoreName& name);
  void end(Context context, const StoreName& name, Answer answer, const EntryInfo& entry = {});

  const Options* options_;
  Calls* calls_;
  Custodian* custodian_;
  Strays* strays_;
  const std::unique_ptr<Elders>* elders_;
  Kept kept_;
  std::map<StoreName, Question> questions_;
  std::uint64_t fetching_bytes_ = 0;
};

}  // namespace pastry::replica
